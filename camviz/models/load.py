"""load_model: from a name, or a network of one's own, to a Model; and the models that a process shares."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from ..errors import CamvizError
from . import weights as files
from .geometry import Geometry
from .layers import probe
from .model import Model
from .sources import Plan, find_plan, imagenet_labels, own_plan, three
from .weights import Progress

Triple = tuple[float, float, float]

SHARED = 6  # models that a process keeps


def load_model(
    network: str | nn.Module,
    /,
    *,
    weights: str | Path = "default",
    device: str | torch.device | None = None,
    progress: Progress | None = None,
    input_size: tuple[int, int] | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    categories: Sequence[str] | None = None,
    name: str | None = None,
) -> Model:
    """A network ready to be explained, by its name in the catalogue, or a copy of one of your own.

    `weights`: "default" = trained (fetched at first use, `progress(done_bytes, total_bytes)`), "random", or the
    path of a state dict (.pth, .pt, .safetensors). `device`: None = torch's default. `input_size` (height, width),
    `mean`, `std` and `categories` replace what the catalogue says; for your own network they default to 224 x 224
    and ImageNet's values. The network that you give is never touched. Raises CamvizError on wrong input.
    """
    plan = find_plan(network) if isinstance(network, str) else own_plan(network, name)
    net, tag = _build(plan, weights, progress)
    where = torch.device(device) if device is not None else _device(network)
    geometry = plan.geometry
    if input_size is not None:
        height, width = input_size
        geometry = Geometry((height, width), (height, width), geometry.interpolation)
    net.zero_grad()
    net.eval().requires_grad_(False).to(where)
    found = probe(net, geometry.size)
    return Model(
        name=name or plan.name,
        title=f"{plan.title} (untrained)" if tag == "random" else plan.title,
        weights=tag,
        net=net,
        categories=_labels(categories, found.classes, plan.name),
        layers=found.layers,
        default_layer=found.layers[-1].name if found.layers else "",
        mean=three(mean or plan.mean, "mean"),
        std=three(std or plan.std, "std"),
        geometry=geometry,
        device=where,
    )


def _build(plan: Plan, weights: str | Path, progress: Progress | None) -> tuple[nn.Module, str]:
    if weights == "default":
        return plan.trained(progress), plan.tag
    if weights == "random" and plan.tag == "own":
        raise CamvizError("random weights are for networks of the catalogue; initialise your own before you give it")
    if weights == "random":
        return plan.untrained(plan.classes), "random"
    file = Path(weights)
    if not file.is_file():
        raise CamvizError(f"weights must be 'default', 'random' or a file; there is no file {file}")
    state = files.read(file)
    net = plan.untrained(plan.classes)
    classes = files.classes_in(state, net, plan.classes)
    if classes != plan.classes:
        net = plan.untrained(classes)
    files.fill(net, state, file.name, plan.name)
    return net, file.name


def _device(network: str | nn.Module) -> torch.device:
    """Where a network of one's own lies; for one of the catalogue, torch's default."""
    parameter = None if isinstance(network, str) else next(network.parameters(), None)
    return torch.get_default_device() if parameter is None else parameter.device


def _labels(given: Sequence[str] | None, classes: int, name: str) -> tuple[str, ...]:
    if given is not None:
        if len(given) != classes:
            raise CamvizError(f"{name} has {classes} classes; got {len(given)} categories")
        return tuple(given)
    return imagenet_labels() if classes == 1000 else tuple(f"class {index}" for index in range(classes))


@dataclass(eq=False)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    model: Model | None = None
    seen: tuple[int, int] = (0, 0)


_slots: OrderedDict[tuple[str, str, str, int], _Slot] = OrderedDict()
_guard = threading.Lock()


def devices() -> tuple[str, ...]:
    """Where networks can be computed here, the quickest first: cuda, mps (Apple), cpu."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, found in there.items() if found)


def shared(name: str, weights: str | Path = "default", device: str = "cpu", progress: Progress | None = None) -> Model:
    """The process's one copy of a catalogue model on a device; the last six are kept.

    While another thread loads it, `progress` is called with that thread's numbers (total 0 until they are known),
    ten times a second: what it raises ends the waiting.
    """
    changed = Path(weights).stat().st_mtime_ns if Path(weights).is_file() else 0
    key = name, str(weights), device, changed
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
            slot.model = load_model(name, weights=weights, device=device, progress=report)
        return slot.model
    finally:
        slot.lock.release()
