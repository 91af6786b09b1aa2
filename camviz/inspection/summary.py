"""The layer summary of a network: shapes, parameters and depth, measured in one forward pass."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..messages import Message
from ..models import Model
from ..tape import class_scores, observe

Place = Literal["image", "layer", "scores", "elsewhere"]

CHANNELS = 0.45  # share of a strip's length that stands for channels; the rest stands for depth
_WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)


@dataclass(frozen=True)
class LayerRow:
    """One row: the shape of the output, the parameters used since the row before, and the depth.

    `depth` counts the convolutions and linear layers that have run so far, on all branches.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    parameters: int = 0
    depth: int = 0
    place: Place = "layer"

    @property
    def shape(self) -> str:
        """The shape as text, channels first: '112 x 14 x 14'."""
        return f"{self.channels} x {self.height} x {self.width}" if self.channels else ""


@dataclass(frozen=True)
class Bar:
    """The place of a row in a strip, as fractions: left edge, length and height."""

    left: float
    length: float
    height: float


def layer_summary(model: Model, names: Collection[str] | None = None) -> tuple[LayerRow, ...]:
    """Return the rows of a network: the image, its main layers (or those of `names`), the class scores.

    Each parameter is counted once, in the first row after it. Parameters of modules that do not run (auxiliary
    classifiers for training) are in a last row, so that all rows sum up to the network.
    """
    wanted = {layer.name: layer for layer in model.layers if (layer.main if names is None else layer.name in names)}
    name_of = {module: name for name, module in model.net.named_modules()}
    counted: set[nn.Parameter] = set()
    events: list[tuple[str, int, bool]] = []

    def see(module: nn.Module, _: Any) -> None:
        new = set(module.parameters(recurse=False)) - counted
        counted.update(new)
        events.append((name_of.get(module, ""), _size(new), isinstance(module, _WEIGHTED)))

    height, width = model.input_size
    classes = class_scores(observe(model.net, blank(model), see)).shape[1]
    last = {name: number for number, (name, _, _) in enumerate(events)}
    rows = [LayerRow(Message("image"), Message("input"), 3, height, width, place="image")]
    parameters = depth = 0
    for number, (name, own, weighted) in enumerate(events):
        parameters, depth = parameters + own, depth + weighted
        if name in wanted and last[name] == number:
            layer = wanted[name]
            rows.append(LayerRow(name, layer.kind, layer.channels, layer.height, layer.width, parameters, depth))
            parameters = 0
    rows.append(LayerRow(Message("class scores"), Message("output"), classes, 1, 1, parameters, depth, "scores"))
    if elsewhere := _size(set(model.net.parameters()) - counted):
        name, kind = Message("(not in this pass)"), Message("used in training only")
        rows.append(LayerRow(name, kind, 0, 0, 0, elsewhere, depth, "elsewhere"))
    return tuple(rows)


def blank(model: Model) -> Tensor:
    """Return a network input of zeros, (1, 3, H, W)."""
    dtype = next((parameter.dtype for parameter in model.net.parameters()), torch.float32)
    return torch.zeros(1, *model.input_shape, dtype=dtype, device=model.device)


def to_scale(rows: Sequence[LayerRow]) -> tuple[Bar, ...]:
    """Return the rows as bars to scale: length is channels, height is resolution, gaps are depth."""
    channels = sum(row.channels for row in rows)
    depth = max(1, rows[-1].depth)
    highest = max(row.height for row in rows)
    bars, left, before = [], 0.0, 0
    for row in rows:
        left += (1 - CHANNELS) * (row.depth - before) / depth
        bars.append(Bar(left, CHANNELS * row.channels / channels, row.height / highest))
        left, before = left + bars[-1].length, row.depth
    return tuple(bars)


def _size(parameters: set[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)
