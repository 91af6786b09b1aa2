"""The heatmap of one class at each strength of a corruption, and its similarity to that of the untouched view."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acceleration.many_passes import partial_progress
from ..edits.corruptions import STRENGTHS, Corruption, check_strengths, corrupt, moved
from ..errors import CamvizError
from ..evaluation.rank_correlation import rank_correlation, resized_map
from ..images import decode_image
from ..runtime.batching import batches
from ..runtime.progress import Progress, check_progress
from .explain import answer, answer_batch
from .explanation import Explanation

BATCH = 4  # views in one pass with gradients, so that a large network fits the memory of a small machine
BROKEN = 0.5  # similarity below which the heatmap counts as another one


@dataclass(frozen=True, eq=False)
class HeatmapCurve:
    """The heatmaps of one score at each strength of a corruption.

    `explanations`: one for each strength. `similarities`: Spearman's rank correlation of each heatmap with that of the
    untouched view, which is rotated or zoomed with the view; 0 for an empty heatmap.
    """

    strengths: tuple[float, ...]
    explanations: tuple[Explanation, ...]
    similarities: tuple[float, ...]

    @property
    def breaks_at(self) -> float | None:
        """The first strength at which the similarity is below 0.5; None if there is none."""
        pairs = zip(self.strengths, self.similarities, strict=True)
        return next((strength for strength, similarity in pairs if similarity < BROKEN), None)


def heatmap_curve(
    explanation: Explanation,
    kind: Corruption,
    strengths: Sequence[float] = STRENGTHS,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> HeatmapCurve:
    """Explain the same score on the corrupted view at several strengths, and compare the heatmaps.

    The views are those of `corruption_curve`. Methods of one or two passes run on several views at a time. Raises
    CamvizError.
    """
    if not isinstance(explanation, Explanation):
        raise CamvizError(
            "heatmap_curve takes an explanation, as camviz.explain returns it; got {kind}",
            kind=type(explanation).__name__,
        )
    check_progress(progress)
    question, count = explanation.question, len(check_strengths(strengths))
    views = [corrupt(explanation.view, kind, strength, seed=seed) for strength in strengths]
    asked = [question.replace(image=decode_image(view), fit="stretch", edit=None) for view in views]
    if question.method.many_passes:
        found = [answer(one, partial_progress(progress, number, count)) for number, one in enumerate(asked)]
    else:
        found = [one for part in batches(count, BATCH, progress) for one in answer_batch(asked[part])[0]]
    size = (explanation.view.shape[0], explanation.view.shape[1])
    untouched = resized_map(explanation.attribution, size)
    similarities = tuple(
        rank_correlation(_rounded(moved(untouched, kind, strength)), _rounded(resized_map(one.attribution, size)))
        for strength, one in zip(strengths, found, strict=True)
    )
    return HeatmapCurve(tuple(map(float, strengths)), tuple(found), similarities)


def _rounded(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a map rounded to 5 decimals: interpolation gives differences in the last bit between equal values."""
    return (plane / (float(np.abs(plane).max()) or 1.0)).round(5)
