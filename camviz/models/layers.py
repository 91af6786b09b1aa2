"""The layers of a network with feature maps, found in one forward pass."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from ..errors import ModelError
from ..messages import Message
from ..tape import class_scores, observe, reading_of

LONGEST, SHORTEST = 25, 5  # names in the short list

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_PASSIVE = (nn.Identity, _DropoutNd)  # they return their input, so they are not listed as layers
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm)  # not their subclasses: LayerNorm2d has its channels first


@dataclass(frozen=True)
class Layer:
    """A module whose output is feature maps, (channels, height, width) for the network's input size.

    `stage` counts the resolutions from 1. `main`: whether the layer is in the short list.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    stage: int = 1
    main: bool = False

    def describe(self, stages: int) -> Message:
        """Return a line for a picker: 'stage 4 of 5, 14x14, 112 channels'."""
        return Message(
            "stage {stage} of {stages}, {height}x{width}, {channels} channels",
            stage=self.stage,
            stages=stages,
            height=self.height,
            width=self.width,
            channels=self.channels,
        )


@dataclass(frozen=True)
class Probe:
    """The result of one forward pass: the layers in the order in which they finish, and the number of classes."""

    layers: tuple[Layer, ...]
    classes: int


def probe(net: nn.Module, size: tuple[int, int], channels: int = 3) -> Probe:
    """Return the layers and the number of classes of `net`, from a pass of a black image of `size` (height, width).

    A module that runs several times is listed at its last run.
    """
    names = {module: name for name, module in net.named_modules()}
    found: dict[str, Layer] = {}
    echoes: set[str] = set()  # containers that return the same tensor as their last child
    last: tuple[str, Any] = ("", None)

    def see(module: nn.Module, output: Any) -> None:
        nonlocal last
        name = names.get(module, "")
        found.pop(name, None)
        if name and is_map(module, output, size):
            if output is last[1] and last[0].startswith(f"{name}."):
                echoes.add(name)
            found[name] = Layer(name, type(module).__name__, *output.shape[1:])
        last = name, output

    reference = next(net.parameters(), torch.empty(0, device="cpu"))
    x = torch.zeros(1, channels, *size, device=reference.device, dtype=reference.dtype)
    with running_on(net, x):
        classes = class_scores(observe(net, x, see), reading_of(net), batch=1).shape[1]
    layers = _with_stages(list(found.values()), size[0])
    short = set(_short_list(net, layers, echoes))
    return Probe(tuple(replace(layer, main=layer.name in short) for layer in layers), classes)


@contextmanager
def running_on(net: nn.Module, x: Tensor) -> Iterator[None]:
    """Raise CamvizError if a network does not run on the input x inside."""
    try:
        yield
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ModelError(
            "{kind} does not run on an image of shape {shape}, (1, {channels}, height, width): {reason}",
            kind=type(net).__name__,
            shape=tuple(x.shape),
            channels=x.shape[1],
            reason=(str(error) or type(error).__name__).splitlines()[0],
        ) from error


def is_map(module: nn.Module, output: Any, size: tuple[int, int]) -> bool:
    """Return whether the output is (1, channels, height, width) with more than one place."""
    if not isinstance(output, Tensor) or output.ndim != 4 or len(output) != 1:
        return False
    if isinstance(module, _PASSIVE) or type(module) in _CHANNELS_LAST:
        return False
    channels, height, width = output.shape[1:]
    if height * width <= 1:
        return False
    # ConvNeXt and Swin keep their channels last inside: there the first two sizes have the image's shape.
    return _skew(height, width, size) <= _skew(channels, height, size)


def _skew(height: int, width: int, size: tuple[int, int]) -> float:
    """Return by how many powers of two the two down-sampling factors differ."""
    return abs(math.log2(size[0] / height) - math.log2(size[1] / width))


def _with_stages(layers: list[Layer], height: int) -> list[Layer]:
    octaves = [round(math.log2(height / layer.height)) for layer in layers]
    ranks = {octave: rank for rank, octave in enumerate(sorted(set(octaves)), start=1)}
    return [replace(layer, stage=ranks[octave]) for layer, octave in zip(layers, octaves, strict=True)]


def _short_list(net: nn.Module, layers: list[Layer], echoes: set[str]) -> list[str]:
    """Return the names of the short list: outermost layers and the children of containers, each map once."""
    known = {layer.name: layer for layer in layers}
    outermost = [name for name in known if not any(outer in known for outer in _outside(name))]
    opened = {name for name in outermost if len(outermost) == 1 or isinstance(net.get_submodule(name), _CONTAINERS)}
    stages = {outer: {known[name].stage for name in known if _parent(name) == outer} for outer in opened}
    trunks = {outer for outer in opened if len(stages[outer]) > 1}

    alike: list[list[str]] = []  # runs of names for one map: a convolution, its ReLU, the container that ends there
    for name in known:
        if name not in outermost and _parent(name) not in opened:
            continue
        before = alike[-1][-1] if alike else ""
        if before and ((name in echoes and _parent(before) == name) or _refines(net, known[name], known[before])):
            alike[-1].append(name)
        else:
            alike.append([name])

    default = layers[-1].name if layers else ""
    # The last name is the most general one ("layer4", not "layer4.1"), but not that of the whole trunk ("blocks").
    shown = [
        default if default in run else next((name for name in reversed(run) if name not in trunks), run[-1])
        for run in alike
    ]
    for depth in sorted({name.count(".") for name in shown}, reverse=True):
        shallower = [name for name in shown if name.count(".") < depth or name == default]
        if len(shown) <= LONGEST or len(shallower) < SHORTEST:
            break
        shown = shallower
    return shown


def _refines(net: nn.Module, layer: Layer, before: Layer) -> bool:
    """Return whether `layer` only normalizes or gates what `before` computed: same shape, no weights of its own."""
    same = replace(layer, name="", kind="") == replace(before, name="", kind="")
    return same and all(parameter.ndim < 2 for parameter in net.get_submodule(layer.name).parameters())


def _outside(name: str) -> list[str]:
    """Return the dotted names of all modules around a module, without the network itself."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _parent(name: str) -> str:
    return name.rpartition(".")[0]
