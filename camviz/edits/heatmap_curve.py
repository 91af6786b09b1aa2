"""The heatmap of one class along a corruption, and how similar it stays to that of the untouched view."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acceleration.many_passes import partial_progress
from ..errors import CamvizError
from ..evaluation.rank_correlation import rank_correlation
from ..explanation.explain import answer, answer_batch
from ..explanation.explanation import Explanation
from ..images import decode_image
from ..render import kind, upsample
from ..runtime.batching import batches
from ..runtime.progress import Progress, check_progress
from .corruptions import CorruptionCurve, moved

BATCH = 4  # views of a pass with gradients: those of a large network fit the memory of a small machine
BROKEN = 0.5  # a similarity below: the heatmap is another one


@dataclass(frozen=True, eq=False)
class HeatmapCurve:
    """The heatmaps of one score along the strength of a corruption.

    `explanations`: one for each strength. `similarities`: Spearman's rank correlation of each heatmap with that of the
    untouched view, which is rotated or zoomed as the view is; 0 for an empty heatmap.
    """

    strengths: tuple[float, ...]
    explanations: tuple[Explanation, ...]
    similarities: tuple[float, ...]

    @property
    def breaks_at(self) -> float | None:
        """The first strength at which the similarity is under 0.5; None if there is none."""
        pairs = zip(self.strengths, self.similarities, strict=True)
        return next((strength for strength, similarity in pairs if similarity < BROKEN), None)


def heatmap_curve(
    explanation: Explanation, curve: CorruptionCurve, *, progress: Progress | None = None
) -> HeatmapCurve:
    """Explain the score of an explanation on every view of a corruption curve, and compare the heatmaps.

    Methods of one or two passes take several views at a time. `curve` is that of the same model and image. Raises
    CamvizError.
    """
    if not isinstance(explanation, Explanation) or not isinstance(curve, CorruptionCurve):
        raise CamvizError(
            "a heatmap curve is made of an explanation and a corruption curve, as camviz.explain and "
            "camviz.edits.corruption_curve return them; got {kind} and {other}",
            kind=type(explanation).__name__,
            other=type(curve).__name__,
        )
    check_progress(progress)
    question, count = explanation.question, len(curve.views)
    if curve.views[0].shape != explanation.view.shape:
        raise CamvizError(
            "the views of the curve have the size {size} and that of the explanation {other}: compute both with one "
            "model",
            size=curve.views[0].shape[:2],
            other=explanation.view.shape[:2],
        )
    asked = [question.replace(image=decode_image(view), fit="stretch") for view in curve.views]
    if question.method.many_passes:
        found = [answer(one, partial_progress(progress, number, count)) for number, one in enumerate(asked)]
    else:
        found = [one for part in batches(count, BATCH, progress) for one in answer_batch(asked[part])[0]]
    size = (explanation.view.shape[0], explanation.view.shape[1])
    untouched = _plane(explanation.attribution, size)
    similarities = tuple(
        rank_correlation(_rounded(moved(untouched, curve.kind, strength)), _rounded(_plane(one.attribution, size)))
        for strength, one in zip(curve.strengths, found, strict=True)
    )
    return HeatmapCurve(curve.strengths, tuple(found), similarities)


def _plane(attribution: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return an attribution as one map (H, W): of pixels the sum over channels of its magnitude."""
    flat = np.abs(attribution).sum(axis=0) if kind(attribution) == "pixel" else attribution
    # Upsampling a constant leaves differences in the last bit, which would be ranked like any others.
    return np.zeros(size, np.float32) if flat.min() == flat.max() else upsample(flat, size)


def _rounded(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a map to 5 digits: interpolation leaves differences in the last bit between equal values."""
    return (plane / (float(np.abs(plane).max()) or 1.0)).round(5)
