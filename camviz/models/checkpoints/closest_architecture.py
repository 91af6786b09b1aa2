"""The catalogue architecture closest to a checkpoint, found without weights and without a download."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..catalogue import EMBEDDED, TRANSFORMERS, timm_architectures, torchvision_names

Shapes = Mapping[str, tuple[int, ...]]

SIMILAR, SAME = (
    0.3,
    0.95,
)  # shares of tensors: the least that is reported, and the one that ends the search
FAMILIES = 3  # of timm's families, the number searched completely


@dataclass(frozen=True)
class ClosestArchitecture:
    """A catalogue network; `matching` of the `tensors` of both networks have the same name and shape."""

    name: str
    matching: int
    tensors: int

    @property
    def share(self) -> float:
        """The matching share of the tensors; 1 = all."""
        return self.matching / max(1, self.tensors)


def closest_architecture(state: Mapping[str, Tensor], asked: str) -> ClosestArchitecture | None:
    """Return the network that shares most tensor names and shapes with `state`; None if no network is similar.

    The number of classes and of input channels may differ. The search takes the asked architecture first, then those of
    torchvision, then the timm families with the most similar tensor names; it takes some seconds.
    """
    shapes = {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}
    best = _compare(asked, shapes)
    for name in _candidates(shapes) if best.share < SAME else ():
        found = _compare(name, shapes)
        if found.share > best.share:
            best = found
        if best.share == 1:
            break
    return best if best.share >= SIMILAR else None


def _candidates(shapes: Shapes) -> Iterator[str]:
    yield from (name for name in torchvision_names() if not name.startswith(TRANSFORMERS))
    families: dict[str, list[str]] = {}
    for name, family in timm_architectures():
        families.setdefault(family, []).append(name)
    patterns = _patterns(shapes)

    def similarity(family: str) -> float:
        others = _patterns(shapes_of(f"timm/{families[family][0]}"))
        return len(patterns & others) / max(1, len(patterns | others))

    for family in sorted(families, key=similarity, reverse=True)[:FAMILIES]:
        yield from (f"timm/{name}" for name in families[family])


def _patterns(shapes: Shapes) -> set[str]:
    """Return the tensor names with every number replaced by #."""
    return {re.sub(r"\d+", "#", key) for key in shapes}


def _compare(name: str, shapes: Shapes) -> ClosestArchitecture:
    known = shapes_of(name)
    matching = sum(_fits(known[key], shapes[key]) for key in known.keys() & shapes.keys())
    return ClosestArchitecture(name, matching, len(known.keys() | shapes.keys()))


def _fits(known: tuple[int, ...], given: tuple[int, ...]) -> bool:
    """Whether two shapes are equal, except for the number of classes or of input channels."""
    if known == given or len(known) != len(given) or not known:
        return known == given
    classes = known[0] == 1000 and known[1:] == given[1:]
    channels = len(known) == 4 and known[1] == 3 and (known[0], *known[2:]) == (given[0], *given[2:])
    return classes or channels


@cache
def shapes_of(name: str) -> Shapes:
    """Return the shapes of a network's tensors by name."""
    with WithoutWeights():
        net = _build(name)
    return {
        key: tuple(value.shape) for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")
    }


def _build(name: str) -> nn.Module:
    if name in EMBEDDED or name.startswith("timm/"):
        import timm

        net: nn.Module = timm.create_model(f"tf_{name}" if name in EMBEDDED else name.removeprefix("timm/"))
        return net
    from torchvision import models

    extra = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, weights=None, **extra)  # type: ignore[no-any-return]


class WithoutWeights(TorchFunctionMode):
    """Build networks without weights: empty tensors are on the meta device, and nothing is initialized.

    `torch.device("meta")` would also catch the tensors from which some networks compute their shapes.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        if getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
