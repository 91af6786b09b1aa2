"""The result of one method on one image, with everything that says how it was computed."""

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import encode, render
from ..messages import Message
from ..models.geometry import Fit
from ..registry import METHODS

RGB = npt.NDArray[np.uint8]


Fusion = Literal["mean", "max"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """The raw signed attribution of one picture, with everything that says what it is and how to get it again."""

    attribution: npt.NDArray[np.float32]
    view: npt.NDArray[np.uint8]
    method: str
    model: str
    weights: str
    layer: str | None
    target: int | None
    label: str
    score: str
    probability: float
    knobs: Mapping[str, Any]
    fit: Fit
    fuse: Fusion | None
    image_digest: str
    seconds: float
    forward_passes: int
    backward_passes: int
    notes: tuple[str, ...]

    @cached_property
    def heatmap(self) -> npt.NDArray[np.float32]:
        """The attribution for display: (H, W) at the size of the view, 0 to 1; all-zero where nothing is positive."""
        return render.heatmap(self.attribution, self.view.shape[:2])

    @property
    def facts(self) -> Message:
        """Return in one line what this explains, and what it cost."""
        return Message(
            "{method} of {label} ({probability:.1%}), {model}{where}: "
            "{seconds:.2f} s, {forward} forward and {backward} backward passes",
            method=METHODS[self.method].title,
            label=self.label,
            probability=self.probability,
            model=self.model,
            where=Message(", layer {layer}", layer=self.layer) if self.layer else "",
            seconds=self.seconds,
            forward=self.forward_passes,
            backward=self.backward_passes,
        )

    def _repr_html_(self) -> str:
        pictures = (self.view, render.overlay(self.view, self.heatmap))
        tags = "".join(
            f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(encode.png(picture)).decode()}">'
            for alt, picture in zip(("picture", "overlay"), pictures, strict=True)
        )
        return f"<div>{tags}<p>{html.escape(' '.join((self.facts, *self.notes)))}</p></div>"
