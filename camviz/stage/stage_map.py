"""The heatmap of a stage, and the cells of the layer to which its values belong."""

import base64
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CamvizError
from ..inspection.cell_fields import CellFields, cell_fields
from ..inspection.summary import blank
from ..models import Model

FINE = 4096  # largest number of values that are sent with 16 bits each; values of a larger map have 8 bits


@dataclass(frozen=True)
class Cells:
    """The cells of a layer whose values a map shows: the layer's name, and their receptive fields if known."""

    layer: str
    fields: CellFields | None

    @classmethod
    def measured(cls, model: Model, name: str) -> "Cells":
        """Return the cells of a layer; their receptive fields take a few forward passes."""
        layer = model.layer(name)
        with suppress(CamvizError):
            return cls(name, cell_fields(model.net, blank(model), model.module(name), layer.height, layer.width))
        return cls(name, None)


def layer_of(model: Model, layers: tuple[str, ...], shape: tuple[int, ...]) -> str | None:
    """Return the name of the layer whose cells a map of this shape shows; None for any other map."""
    if len(layers) != 1:
        return None
    layer = model.layer(layers[0])
    return layer.name if shape == (layer.height, layer.width) else None


@dataclass(frozen=True)
class StageMap:
    """The heatmap of a stage: scaled values (h, w), where 1 stands for `top`, the upper end of the color bar.

    `signed` values are in [-1, 1], others in [0, 1].
    """

    values: NDArray[np.float32]
    top: float
    signed: bool = False
    cells: Cells | None = None

    @classmethod
    def of(cls, attribution: NDArray[np.float32], high: float | None = None, cells: Cells | None = None) -> "StageMap":
        """Return the map of a raw attribution at its own resolution, on a scale from 0 to `high`.

        By default, `high` is the maximum. A pixel attribution is shown as the sum of magnitudes over the channels, up
        to the 99th percentile by default.
        """
        if attribution.ndim == 2:
            values = attribution.clip(min=0)
            return cls._up_to(values, float(values.max()) if high is None else high, cells)
        values = np.abs(attribution).sum(axis=0)
        return cls._up_to(values, (float(np.percentile(values, 99)) or float(values.max())) if high is None else high)

    @property
    def bits(self) -> int:
        """The bits of each value for the browser: 16 for a coarse map, 8 for one with many values."""
        return 16 if self.values.size <= FINE else 8

    @property
    def encoded(self) -> str:
        """The values as signed integers of `bits` bits in base64; the largest integer stands for 1."""
        whole = self.values.clip(-1, 1) * (2 ** (self.bits - 1) - 1)
        return base64.b64encode(np.rint(whole).astype("<i2" if self.bits == 16 else np.int8).tobytes()).decode()

    @classmethod
    def _up_to(cls, values: NDArray[np.float32], top: float, cells: Cells | None = None) -> "StageMap":
        scaled = (values / top).clip(0, 1) if top > 0 else np.zeros_like(values)
        return cls(scaled, max(top, 0.0), cells=cells)
