"""Hide the region that a heatmap highlights, and compute the prediction and the heatmap again."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2  # type: ignore[import-untyped]

from .. import render
from ..acceleration.many_passes import partial_progress
from ..edits.answers import answers_of, predictions_of
from ..edits.fills import Fill, apply
from ..edits.masks import RGB, Mask
from ..errors import CamvizError
from ..images import decode_image
from ..messages import Message
from ..models import Prediction
from ..runtime.progress import Progress, check_progress
from ..runtime.rng import Rng
from .explain import answer
from .explanation import Explanation

ROUNDS = 5
EMPTY = Message("the heatmap is empty, so there is no highlighted region to hide: use another class, layer or method")


@dataclass(frozen=True, eq=False)
class Hidden:
    """A view with a hidden region, and the predictions for it.

    `region` (H, W). `share`: of the view's pixels. `explained`: the prediction of the explained class; for a score that
    belongs to no class, that of the class predicted before.
    """

    region: Mask
    view: RGB
    predictions: tuple[Prediction, ...]
    explained: Prediction

    @property
    def share(self) -> float:
        """The share of the view's pixels that the region covers."""
        return float(self.region.mean())


@dataclass(frozen=True, eq=False)
class Hiding:
    """The predictions without the highlighted region, without a random one and without the least highlighted one.

    The three regions have the same shape and area; the last two are the first one, moved (see `hide_highlighted`).
    `before`: the untouched view, with an empty region.
    """

    before: Hidden
    highlighted: Hidden
    random: Hidden
    least: Hidden

    @property
    def sentence(self) -> Message:
        """The result in one sentence, as a template with values."""
        return _sentence(self)


@dataclass(frozen=True, eq=False)
class Step:
    """One round of `hide_and_ask_again`: a map, the region that it highlights, and the predictions without it.

    `explanation`: of the original class, on the view without the regions of earlier rounds. `region`: the region that
    this round hides in addition. `result`: the view without all regions so far, and the predictions for it.
    """

    explanation: Explanation
    region: Mask
    result: Hidden

    @property
    def probability(self) -> float:
        """The probability of the explained class without all regions so far; NaN for a network without any."""
        return self.result.explained.probability


def hide_highlighted(explanation: Explanation, fill: Fill | RGB = "blur", *, seed: int = 0) -> Hiding:
    """Return what the model predicts without the region that holds half of the heatmap's mass, and two controls.

    A control is the same region shifted cyclically: it leaves the view at one border and enters at the opposite one, so
    its shape and area stay the same. The random one is moved by a shift drawn with `seed` from all shifts, the least
    highlighted one by the shift at which it holds least of the heatmap's mass. `fill` is that of `apply`. One batch of
    four views. Raises CamvizError if the heatmap is empty.
    """
    check_explanation(explanation)
    heatmap = explanation.heatmap
    region = _highlighted(heatmap, np.zeros(heatmap.shape, np.bool_))
    rows, columns = (int(Rng(seed + place).integers(0, side - 1, 1)) for place, side in enumerate(heatmap.shape))
    regions = [
        np.zeros_like(region),
        region,
        np.roll(region, (rows, columns), axis=(0, 1)),
        np.roll(region, _least_highlighted(heatmap, region), axis=(0, 1)),
    ]
    return Hiding(*_hidden(explanation, regions, fill, seed))


def hide_and_ask_again(
    explanation: Explanation,
    rounds: int = ROUNDS,
    fill: Fill | RGB = "blur",
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Step, ...]:
    """Hide the highlighted region and explain the same class on the rest, in several rounds; return a step for each.

    Each map is by the method, settings and score of the explanation, on the original view without all regions so far.
    Only the visible part of its heatmap counts. The rounds end early if the heatmap is empty there. Raises CamvizError
    if the first heatmap is empty, or for a number of rounds outside of 1 to 5.
    """
    check_explanation(explanation)
    check_progress(progress)
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= ROUNDS:
        raise CamvizError(
            "the number of rounds is a whole number of 1 to {most}; got {rounds}", most=ROUNDS, rounds=repr(rounds)[:60]
        )
    steps: list[Step] = []
    hidden, asked = np.zeros(explanation.heatmap.shape, np.bool_), explanation
    for number in range(rounds):
        try:
            region = _highlighted(asked.heatmap, hidden)
        except CamvizError:
            if not steps:
                raise
            break
        hidden = hidden | region
        (result,) = _hidden(explanation, [hidden], fill, seed)
        steps.append(Step(asked, region, result))
        if number + 1 < rounds and not hidden.all():
            left = explanation.question.replace(
                image=decode_image(result.view), fit="stretch", edit=None, score=explanation.score, notes=()
            )
            asked = answer(left, partial_progress(progress, number, max(1, rounds - 1)))
        if progress:
            progress(min(number + 1, rounds - 1), max(1, rounds - 1))
    return tuple(steps)


def check_explanation(explanation: Any) -> None:
    """Raise CamvizError if this is no explanation."""
    if not isinstance(explanation, Explanation):
        raise CamvizError(
            "a highlighted region is that of an explanation, as camviz.explain returns it; got {kind}",
            kind=type(explanation).__name__,
        )


def _highlighted(heatmap: NDArray[np.float32], hidden: Mask) -> Mask:
    """Return the visible region that holds half of the visible mass. Raises CamvizError if there is no mass."""
    visible = np.where(hidden, np.float32(0), heatmap)
    region = render.highlighted(visible) & ~hidden
    if not visible.any() or not region.any():
        raise CamvizError(EMPTY)
    return region


def _least_highlighted(heatmap: NDArray[np.float32], region: Mask) -> tuple[int, int]:
    """Return the first shift (rows, columns) at which the region holds least of the mass, by circular correlation."""
    spectrum = rfft2(heatmap.astype(np.float64)) * np.conj(rfft2(region.astype(np.float64)))
    mass = irfft2(spectrum, s=heatmap.shape)
    first = np.flatnonzero(mass <= mass.min() + 1e-9 * heatmap.sum())[0]  # several may be equal up to rounding
    return int(first // heatmap.shape[1]), int(first % heatmap.shape[1])


def _hidden(explanation: Explanation, regions: Sequence[Mask], fill: Fill | RGB, seed: int) -> list[Hidden]:
    model = explanation.question.model
    views = [apply(explanation.view, region, fill, seed=seed) for region in regions]
    answers = answers_of(model, views)
    index = explanation.target
    if index is None:
        index = int(answers_of(model, [explanation.view])[0].argmax())
    return [
        Hidden(region, view, predictions_of(model, row), model.prediction(index, float(row[index])))
        for region, view, row in zip(regions, views, answers, strict=True)
    ]


def _sentence(hiding: Hiding) -> Message:
    before, without, control = (one.predictions[0] for one in (hiding.before, hiding.highlighted, hiding.random))
    explained = hiding.before.explained
    if isnan(before.probability) or len(hiding.before.predictions) == 1 or explained.index != before.index:
        return Message(
            "The answer for {label} goes from {before} to {after} without the highlighted region; without a random "
            "region of the same size it is {control}.",
            label=explained.label,
            before=explained.shown(0),
            after=hiding.highlighted.explained.shown(0),
            control=hiding.random.explained.shown(0),
        )
    template = {
        (True, False): Message(
            "Without the highlighted region the model predicts {without} ({share}) instead of {label} ({before}). "
            "Without a random region of the same size it still predicts {label} ({control_share}): the heatmap marks "
            "what this prediction needs."
        ),
        (True, True): Message(
            "Without the highlighted region the model predicts {without} ({share}) instead of {label} ({before}). "
            "Without a random region of the same size it predicts {control} ({control_share}): hiding this much "
            "changes the prediction elsewhere too."
        ),
        (False, False): Message(
            "Without the highlighted region the model still predicts {label} ({share} instead of {before}), as without "
            "a random region of the same size ({control_share}): neither region alone decides it."
        ),
        (False, True): Message(
            "Without the highlighted region the model still predicts {label} ({share}), but without a random region of "
            "the same size {control} ({control_share}): the heatmap does not mark what this prediction needs."
        ),
    }[without.index != before.index, control.index != before.index]
    return Message(
        template,
        label=before.label,
        before=before.shown(0),
        without=without.label,
        share=without.shown(0),
        control=control.label,
        control_share=control.shown(0),
    )
