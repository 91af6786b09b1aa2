"""The catalog architecture closest to a checkpoint, found without weights and without a download."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..catalog import EMBEDDED, timm_architectures, torchvision_names

Shapes = Mapping[str, tuple[int, ...]]

SIMILAR, SAME = 0.3, 0.95  # shares of tensors: the least that is reported, and the one that ends the search
COMPARED = 4  # architectures built and compared tensor by tensor
LENGTH, LEAST = 64, 4  # numbers in a sketch, and the least count of equal ones in two similar sketches
MARGIN = 0.2  # by which a sketch may underestimate a share: three standard deviations
SKETCHES = Path(__file__).with_name("sketches.txt")
_FACTORS = np.random.default_rng(0).integers(0, 2**63, LENGTH, np.uint64) * np.uint64(2) + np.uint64(1)


@dataclass(frozen=True)
class ClosestArchitecture:
    """A catalog network; `matching` of the `tensors` of both networks have the same name and shape."""

    name: str
    matching: int
    tensors: int

    @property
    def share(self) -> float:
        """The matching share of the tensors; 1 = all."""
        return self.matching / max(1, self.tensors)


def closest_architecture(state: Mapping[str, Tensor], asked: str) -> ClosestArchitecture | None:
    """Return the network that shares most tensor names and shapes with `state`; None if no network is similar.

    The number of classes and of input channels may differ. The asked architecture is compared first, then those whose
    stored sketches are the most similar.
    """
    shapes = {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}
    best = _compare(asked, shapes)
    for name, estimate in _candidates(shapes) if best.share < SAME else ():
        if best.share == 1 or best.share > estimate + MARGIN:
            break
        found = _compare(name, shapes)
        if found.share > best.share:
            best = found
    return best if best.share >= SIMILAR else None


def _candidates(shapes: Shapes) -> list[tuple[str, float]]:
    """Return the architectures with the most similar sketches, the most similar first, and their estimated shares."""
    own = sketch(shapes)
    equal = {name: sum(map(int.__eq__, own, other)) for name, other in sketches().items()}
    names = [*EMBEDDED, *torchvision_names(), *(f"timm/{name}" for name, _ in timm_architectures())]
    near = [name for name in names if equal.get(name, 0) >= LEAST]
    return [(name, equal[name] / LENGTH) for name in sorted(near, key=lambda name: -equal[name])[:COMPARED]]


def sketch(shapes: Shapes) -> list[int]:
    """Return the MinHash of the tensors' names and shapes.

    The share of equal numbers in two sketches estimates the share of equal tensors. The input channels of a convolution
    on images and the length of the last layer are ignored.
    """
    tokens = set()
    for name, shape in shapes.items():
        inner = shape[1:] if len(shape) == 2 else shape
        if len(shape) == 4 and shape[1] in (1, 3):
            inner = (shape[0], *shape[2:])
        tokens.add(f"{name} {inner}".encode())
    hashes = np.array([int.from_bytes(blake2b(token, digest_size=8).digest()) for token in tokens], np.uint64)
    return [int(((hashes * factor) >> np.uint64(48)).min(initial=65535)) for factor in _FACTORS]


@cache
def sketches() -> dict[str, list[int]]:
    """Return the stored sketches by name; `python -m camviz.models.checkpoints.closest_architecture` writes them."""
    lines = SKETCHES.read_text(encoding="ascii").splitlines()
    return {name: list(memoryview(bytes.fromhex(digits)).cast("H")) for name, digits in map(str.split, lines)}


def write_sketches() -> None:
    """Compute and write the sketches of all architectures of the catalog, in about a minute."""
    names = [*EMBEDDED, *torchvision_names(), *(f"timm/{name}" for name, _ in timm_architectures())]
    lines = [f"{name} {np.array(sketch(shapes_of(name)), '<u2').tobytes().hex()}\n" for name in names]
    SKETCHES.write_text("".join(lines), encoding="ascii")


def _compare(name: str, shapes: Shapes) -> ClosestArchitecture:
    known = shapes_of(name)
    matching = sum(_fits(known[key], shapes[key]) for key in known.keys() & shapes.keys())
    return ClosestArchitecture(name, matching, len(known.keys() | shapes.keys()))


def _fits(known: tuple[int, ...], given: tuple[int, ...]) -> bool:
    """Return whether two shapes are equal, except for the number of classes or of input channels."""
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


if __name__ == "__main__":
    write_sketches()
