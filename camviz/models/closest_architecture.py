"""The architecture of the catalogue that a checkpoint is most like, found without weights and without a download."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .catalogue import EMBEDDED, TRANSFORMERS, timm_architectures, torchvision_names

Shapes = Mapping[str, tuple[int, ...]]

ALIKE, SAME = 0.3, 0.95  # shares of tensors: below the one it is no likeness, from the other on no other is looked for
FAMILIES = 3  # of timm's families, those that are looked through whole


@dataclass(frozen=True)
class ClosestArchitecture:
    """A network by its catalogue name; `fitting` of all `tensors` of either have the same name and shape."""

    name: str
    fitting: int
    tensors: int

    @property
    def share(self) -> float:
        """1 where everything fits."""
        return self.fitting / max(1, self.tensors)


def closest_architecture(state: Mapping[str, Tensor], asked: str) -> ClosestArchitecture | None:
    """The network whose tensors have most names and shapes in common with `state`; None where none is like it.

    The number of classes and of input channels may differ. First the one that was asked for, then torchvision's
    networks, then those families of timm whose names are most alike: some seconds.
    """
    shapes = {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}
    best = _compare(asked, shapes)
    for name in _candidates(shapes) if best.share < SAME else ():
        found = _compare(name, shapes)
        if found.share > best.share:
            best = found
        if best.share == 1:
            break
    return best if best.share >= ALIKE else None


def _candidates(shapes: Shapes) -> Iterator[str]:
    yield from (name for name in torchvision_names() if not name.startswith(TRANSFORMERS))
    families: dict[str, list[str]] = {}
    for name, family in timm_architectures():
        families.setdefault(family, []).append(name)
    words = _words(shapes)

    def likeness(family: str) -> float:
        others = _words(shapes_of(f"timm/{families[family][0]}"))
        return len(words & others) / max(1, len(words | others))

    for family in sorted(families, key=likeness, reverse=True)[:FAMILIES]:
        yield from (f"timm/{name}" for name in families[family])


def _words(shapes: Shapes) -> set[str]:
    """The names without their numbers."""
    return {re.sub(r"\d+", "#", key) for key in shapes}


def _compare(name: str, shapes: Shapes) -> ClosestArchitecture:
    known = shapes_of(name)
    fitting = sum(_fits(known[key], shapes[key]) for key in known.keys() & shapes.keys())
    return ClosestArchitecture(name, fitting, len(known.keys() | shapes.keys()))


def _fits(known: tuple[int, ...], given: tuple[int, ...]) -> bool:
    """Whether two shapes are the same but for the number of classes, or of input channels."""
    if known == given or len(known) != len(given) or not known:
        return known == given
    classes = known[0] == 1000 and known[1:] == given[1:]
    channels = len(known) == 4 and known[1] == 3 and (known[0], *known[2:]) == (given[0], *given[2:])
    return classes or channels


@cache
def shapes_of(name: str) -> Shapes:
    """The shapes of a network's tensors by their names."""
    with Weightless():
        net = _built(name)
    return {
        key: tuple(value.shape) for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")
    }


def _built(name: str) -> nn.Module:
    if name in EMBEDDED or name.startswith("timm/"):
        import timm

        made: nn.Module = timm.create_model(f"tf_{name}" if name in EMBEDDED else name.removeprefix("timm/"))
        return made
    from torchvision import models

    extra = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, weights=None, **extra)  # type: ignore[no-any-return]


class Weightless(TorchFunctionMode):
    """Within it a network is built without weights: its tensors are on the meta device, and nothing is drawn.

    `torch.device("meta")` would also take the numbers from which some networks compute their own shapes.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        if getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
