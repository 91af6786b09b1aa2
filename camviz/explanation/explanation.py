"""The result of one method for one image, with the question that it answers."""

import base64
import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import encode, render
from ..messages import Message
from ..scores import Score
from ..text import passes_text, shown_answer
from .notebook import mime_bundle
from .question import Question


@dataclass(frozen=True, eq=False)
class Result:
    """The attribution of a method and its cost. `Explanation` holds it with its question.

    `attribution`: float32, raw and signed, (3, H, W) for pixel methods, (h, w) for maps. `view`: the image as the model
    sees it, RGB (H, W, 3). `probability`: of the explained class, NaN for a custom score and for a network without
    probabilities, whose answer is `value`.
    """

    attribution: NDArray[np.float32]
    view: NDArray[np.uint8]
    probability: float
    seconds: float
    forward_passes: int
    backward_passes: int
    notes: tuple[str, ...]
    value: float = math.nan

    @cached_property
    def heatmap(self) -> NDArray[np.float32]:
        """The attribution for display: (H, W) at the size of the view, 0 to 1; all-zero if nothing is positive."""
        return render.heatmap(self.attribution, self.view.shape[:2])


@dataclass(frozen=True, eq=False)
class Explanation:
    """The raw signed attribution of one image, with the question that it answers, its cost and its notes."""

    question: Question
    result: Result

    @property
    def attribution(self) -> NDArray[np.float32]:
        """Raw and signed, float32: (3, H, W) for pixel methods, (h, w) for maps."""
        return self.result.attribution

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """The attribution for display: (H, W) at the size of the view, 0 to 1; all-zero if nothing is positive."""
        return self.result.heatmap

    @property
    def view(self) -> NDArray[np.uint8]:
        """The image as the model sees it, RGB (H, W, 3)."""
        return self.result.view

    @property
    def method(self) -> str:
        """The key of the method."""
        return self.question.method.key

    @property
    def knobs(self) -> Mapping[str, Any]:
        """Every setting of the method."""
        return self.question.settings

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.question.model.name

    @property
    def layer(self) -> str | None:
        """The dotted name of the layer, several separated by commas; None for a method without a layer."""
        return ",".join(self.question.layers) or None

    @property
    def score(self) -> Score:
        """The function of the class scores that is explained."""
        assert self.question.score is not None
        return self.question.score

    @property
    def target(self) -> int | None:
        """The index of the explained class, the first one of a contrast; None for a custom score."""
        return self.question.class_index

    @property
    def label(self) -> str:
        """The explained class or score, in words."""
        return self.question.label

    @property
    def probability(self) -> float:
        """The probability of the explained class; NaN for a custom score."""
        return self.result.probability

    @property
    def shown(self) -> str:
        """The probability of the explained class as a percentage, or the network's value; "" for a custom score."""
        return shown_answer(self.probability, self.result.value, self.question.model.unit)

    @property
    def seconds(self) -> float:
        """The duration of the computation."""
        return self.result.seconds

    @property
    def forward_passes(self) -> int:
        """The number of forward passes, of one image each."""
        return self.result.forward_passes

    @property
    def backward_passes(self) -> int:
        """The number of backward passes, of one image each."""
        return self.result.backward_passes

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts that a reader of the map should know, one sentence each."""
        return self.result.notes

    @property
    def facts(self) -> Message:
        """The method, the class, the model, the layer and the cost, in one line."""
        layers = ", ".join(self.question.layers)
        return Message(
            "{method} of {label}{answer}, {model}{where}: {seconds:.2f} s, {passes}",
            method=self.question.method.title,
            label=self.label,
            answer=Message(" ({answer})", answer=self.shown) if self.shown else "",
            model=self.model,
            where=Message(", layer {layer}", layer=layers) if layers else "",
            seconds=self.seconds,
            passes=passes_text(self.forward_passes, self.backward_passes),
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any] | None:
        return mime_bundle(self)

    def _repr_html_(self) -> str:
        images = (self.view, render.overlay(self.view, self.heatmap))
        tags = "".join(
            f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(encode.png(image)).decode()}">'
            for alt, image in zip(("image", "overlay"), images, strict=True)
        )
        return f"<div>{tags}<p>{html.escape(' '.join((self.facts, *self.notes)))}</p></div>"
