"""The claims of a lesson: its statements about its heatmaps, as numbers that can be computed and checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..adversarial.attacking import attack
from ..edits.answers import answers_of
from ..errors import ExtensionError, choice
from ..evaluation.rank_correlation import pairwise_rank_correlation, rank_correlation
from ..explanation.explain import answer
from ..explanation.explanation import Explanation
from ..feature_visualization.synthesis import synthesize
from ..inspection.filters import first_filters
from ..models import shared_model
from ..tape import forward, score_of

Box = tuple[float, float, float, float]  # top, left, bottom, right, as shares of the image's height and width
DARK = 60  # of 255: all three colors of a dark pixel are below it
FIELDS = {"says", "measure", "of", "box", "word", "equals", "over", "under"}


@dataclass(frozen=True)
class Claim:
    """One claim: the value of `measure`, a key of MEASURES, for the heatmaps `of` is between `over` and `under`.

    `of`: the numbers of the heatmaps, from 1. `says`: the quoted sentence of the lesson. `equals` replaces both limits
    if the value is a text.
    """

    says: str
    measure: str
    of: tuple[int, ...] = (1,)
    box: Box = (0.0, 0.0, 1.0, 1.0)
    word: str = ""
    equals: str = ""
    over: float = -np.inf
    under: float = np.inf

    def value(self, explanations: Sequence[Explanation]) -> float | str:
        """Return the measured value. `explanations`: of the lesson's heatmaps, in order."""
        return MEASURES[self.measure](self, *(explanations[number - 1] for number in self.of))

    def holds(self, value: float | str) -> bool:
        """Return whether a measured value confirms the claim."""
        return value == self.equals if isinstance(value, str) else self.over < value < self.under


def read_claim(file: str, data: Mapping[str, Any]) -> Claim:
    """Return the claim of a [[claim]] table. Raises CamvizError if it is invalid."""
    if not {"says", "measure"} <= data.keys() <= FIELDS:
        raise ExtensionError(
            "{file}: a [[claim]] needs says and measure, and may have {fields}",
            file=file,
            fields=", ".join(sorted(FIELDS - {"says", "measure"})),
        )
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    fields["measure"] = choice(data["measure"], MEASURES, "measure")
    return Claim(**fields)


def strength(e: Explanation) -> NDArray[np.floating]:
    """Return the magnitude of an attribution at each pixel of the view, (H, W)."""
    found: NDArray[np.floating] = np.abs(e.attribution).sum(axis=0) if e.attribution.ndim == 3 else e.heatmap
    return found


def _share(claim: Claim, e: Explanation) -> float:
    """Return the share of the heatmap that lies in the box."""
    values = strength(e)
    height, width = values.shape
    top, left, bottom, right = claim.box
    inside = values[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return float(inside.sum() / values.sum())


def _strongest_in(claim: Claim, e: Explanation) -> float:
    """Return 1 if the maximum of the heatmap lies in the box, else 0."""
    row, column = np.unravel_index(e.heatmap.argmax(), e.heatmap.shape)
    top, left, bottom, right = claim.box
    height, width = e.heatmap.shape
    return float(top <= (row + 0.5) / height < bottom and left <= (column + 0.5) / width < right)


def _peak_ratio(claim: Claim, e: Explanation, other: Explanation) -> float:
    """Return the maximum of the first heatmap divided by that of the second."""
    return float(e.attribution.max() / other.attribution.max())


def _correlation(claim: Claim, e: Explanation, other: Explanation) -> float:
    """Return the rank correlation of two heatmaps."""
    if e.attribution.ndim == 3:
        return rank_correlation(strength(e), strength(other))
    return rank_correlation(e.attribution, other.attribution)


def _agreement(claim: Claim, e: Explanation, other: Explanation) -> float:
    """Return the rank correlation of two heatmaps as the page Compare shows it, at 56 x 56 cells."""
    return float(pairwise_rank_correlation([e.heatmap, other.heatmap], (56, 56))[0, 1])


def _fooled(claim: Claim, e: Explanation) -> float:
    """Return the probability of the explained class after an attack by PGD with 10 steps of at most 1/255."""
    model = e.question.model
    assert e.target is not None
    perturbed = attack(model, e.question.image, epsilon=1 / 255, fit=e.question.fit).perturbed_pixels
    return float(answers_of(model, [perturbed])[0][e.target])


def _synthesized(claim: Claim, e: Explanation) -> float:
    """Return by how much 16 steps of gradient ascent raise the score of the explained class."""
    objective = synthesize(e.question.model, "class_image", target=e.target, steps=16).objective
    return objective[-1] - objective[0]


def _dark(e: Explanation) -> NDArray[np.bool_]:
    dark: NDArray[np.bool_] = e.view.max(axis=2) < DARK
    return dark


def _dark_share(claim: Claim, e: Explanation) -> float:
    """Return the share of the heatmap on the dark pixels: those whose three colors are all below 60 of 255."""
    values = strength(e)
    return float(values[_dark(e)].sum() / values.sum())


def _filters(claim: Claim, e: Explanation) -> float:
    """Return the number of filters of the first convolution."""
    found = first_filters(e.question.model)
    return float(len(found.weights)) if found else 0.0


def _score_change(claim: Claim, e: Explanation) -> float:
    """Return the score of the image minus that of a blank image."""
    model = e.question.model
    x = model.normalize(e.view)
    with torch.no_grad():
        whole, blank = (float(score_of(e.score, forward(model.net, one))) for one in (x, x * 0))
    return whole - blank


def _difference_untrained(claim: Claim, e: Explanation) -> float:
    """Return the largest difference between the heatmap and that of the untrained model, for the same class."""
    untrained = shared_model(e.model, "random", str(e.question.model.device))
    other = answer(e.question.replace(model=untrained))
    return float(np.abs(e.attribution - other.attribution).max())


def _class_names(claim: Claim, e: Explanation) -> float:
    """Return the number of classes whose names contain the word."""
    return float(sum(claim.word in name.lower() for name in e.question.model.categories))


def _predicted(claim: Claim, e: Explanation) -> str:
    """Return the most probable class of the image, with its edit if there is one."""
    return e.question.model.predict(Image.fromarray(e.view), 1, "stretch")[0].label


MEASURES: dict[str, Callable[..., float | str]] = {
    "agreement": _agreement,
    "cells": lambda claim, e: float(e.attribution.shape[-1]),
    "class_names": _class_names,
    "correlation": _correlation,
    "dark_area": lambda claim, e: float(_dark(e).mean()),
    "dark_share": _dark_share,
    "difference_untrained": _difference_untrained,
    "explained": lambda claim, e: str(e.label),
    "filters": _filters,
    "fooled": _fooled,
    "peak": lambda claim, e: float(e.attribution.max()),
    "peak_ratio": _peak_ratio,
    "predicted": _predicted,
    "probability": lambda claim, e: e.probability,
    "score_change": _score_change,
    "share": _share,
    "strongest_in": _strongest_in,
    "sum": lambda claim, e: float(e.attribution.sum()),
    "synthesized": _synthesized,
}
