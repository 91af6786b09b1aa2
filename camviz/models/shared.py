"""The models of this process by name, one copy for everybody."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..errors import CamvizError, WeightsError
from .catalogue import Entry, catalogue
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
    """Where networks can be computed here, the quickest first: cuda, mps (Apple), cpu."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, found in there.items() if found)


def shared_model(
    name: str, weights: str | Path = "default", device: str = "cpu", progress: Progress | None = None
) -> Model:
    """The process's one copy of a model on a device, by its name in `offered()`; the last six are kept.

    While another thread loads it, `progress` is called with that thread's numbers (total 0 until they are known),
    ten times a second: what it raises ends the waiting.
    """
    offer = find_offer(name)
    if offer is not None and weights == "random":
        raise CamvizError("{name} was brought along, and random weights are for networks of the catalogue", name=name)
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
                "the network {name} that is here ({present}) is another one than '{weights}'",
                name=name,
                present=str(slot.model.weights),
                weights=str(weights),
            )
        return slot.model
    finally:
        slot.lock.release()


def find_offer(name: str) -> ModelOffer | None:
    """The network that was brought along under that name; None for all others.

    Those of the operator's file come after those that were registered.
    """
    return registered().get(name) or operator_config().offers.get(name)


def offered_models() -> tuple[Entry, ...]:
    """Return all models on offer.

    These are the registered ones, those of the operator's file, those of other packages, and what the file leaves of
    the catalog; always the default model.
    """
    config = operator_config()
    first_ones = registered()
    own = {**config.offers, **first_ones}
    first = [own[name].entry for name in dict.fromkeys((*first_ones, *own))]
    first += [model.entry for name, model in packaged_models().items() if name not in own]
    rest = [entry for entry in catalogue() if entry.name not in own]
    if config.catalogue is not None:
        rest = [entry for entry in rest if entry.name in config.catalogue or entry.name == DEFAULT_MODEL]
    return (*first, *rest)


def default_model_name() -> str:
    """The name of the network that is shown when nobody has chosen: the first registered one, or the embedded one."""
    return next(iter(registered()), DEFAULT_MODEL)
