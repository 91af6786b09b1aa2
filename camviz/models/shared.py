"""The models of this process by name, one copy for all threads."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..errors import CamvizError, WeightsError
from .catalog import Entry, catalog
from .checkpoints.download import Progress
from .load import load_model
from .model import Model
from .offers import DEFAULT_MODEL, ModelOffer, packaged_models, registered
from .operator_config import operator_config

SHARED = 6  # models that a process keeps


@dataclass(eq=False)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    model: Model | None = None
    seen: tuple[int, int] = (0, 0)


_slots: OrderedDict[tuple[str, str, str, str], _Slot] = OrderedDict()
_guard = threading.Lock()


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine, the fastest first: cuda, mps (Apple), cpu."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, found in available.items() if found)


def shared_model(
    name: str, weights: str | Path = "default", device: str = "cpu", progress: Progress | None = None
) -> Model:
    """Return the process's one copy of a model on a device, by a name of `offered_models()`; the last six are kept.

    While another thread loads it, `progress` is called ten times a second with that thread's numbers (total 0 until
    they are known); an exception from it ends the waiting.
    """
    offer = find_offer(name)
    if offer is not None and weights == "random":
        raise CamvizError(
            "{name} is not in the catalog, and only networks of the catalog have random weights: leave weights out",
            name=name,
        )
    changed = " ".join(str(Path(file).stat().st_mtime_ns) for file in (name, weights) if Path(file).is_file())
    key = name, str(weights), device, offer.version if offer else changed
    with _guard:
        slot = _slots.setdefault(key, _Slot())
        _slots.move_to_end(key)
        while len(_slots) > SHARED:
            _slots.popitem(last=False)

    def report(done: int, total: int) -> None:
        slot.seen = done, total
        if progress:
            progress(done, total)

    while not slot.lock.acquire(timeout=0.1):
        if progress:
            progress(*slot.seen)
    try:
        if slot.model is None:
            if offer is not None:
                slot.model = offer.load(device, report)
            else:
                slot.model = load_model(name, weights=weights, device=device, progress=report)
        if offer is not None and weights not in ("default", slot.model.weights.argument):
            raise WeightsError(
                "the loaded network {name} has the weights '{present}', not '{weights}': load the network with "
                "those weights",
                name=name,
                present=str(slot.model.weights),
                weights=str(weights),
            )
        return slot.model
    finally:
        slot.lock.release()


def find_offer(name: str) -> ModelOffer | None:
    """Return the registered network of this name, or else that of the operator's file; None if there is neither."""
    return registered().get(name) or operator_config().offers.get(name)


def offered_models() -> tuple[Entry, ...]:
    """Return all models that can be chosen.

    These are the registered ones, those of the operator's file, those of other packages, and the models of the catalog
    that the file offers, the default model among them in any case.
    """
    config = operator_config()
    first_ones = registered()
    own = {**config.offers, **first_ones}
    first = [own[name].entry for name in dict.fromkeys((*first_ones, *own))]
    first += [model.entry for name, model in packaged_models().items() if name not in own]
    rest = [entry for entry in catalog() if entry.name not in own]
    if config.catalog is not None:
        rest = [entry for entry in rest if entry.name in config.catalog or entry.name == DEFAULT_MODEL]
    return (*first, *rest)


def default_model_name() -> str:
    """Return the name of the model that a page opens with: the first registered one, or the embedded one."""
    return next(iter(registered()), DEFAULT_MODEL)
