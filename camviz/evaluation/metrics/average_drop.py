"""Average drop (Chattopadhay et al., WACV 2018)."""

import torch
from torch import Tensor, nn

from ...errors import MetricError
from ...scores import Score
from ...tape import forward, score_of
from ..pixel_ranking import check_shapes, normalize_map
from ..registry import metric


@metric(
    "Average drop",
    better="low",
    cost=2,
    paper="https://arxiv.org/abs/1710.11063",
    limitation="A map that marks the whole image loses nothing and looks perfect: read it together with sparseness.",
)
def average_drop(net: nn.Module, x: Tensor, score: Score, heatmap: Tensor) -> float:
    """Share of the score that is lost when the image is multiplied by its heatmap: low is good.

    max(0, S(x) - S(x * M)) / S(x), M = minmax( relu(heatmap) )

    x (1, 3, H, W), heatmap (H, W). Average it over images. Raises CamvizError if S(x) is not positive.
    """
    before, after = full_and_masked_score(net, x, score, heatmap)
    if before <= 0:
        raise MetricError(
            "the average drop is a share of the score, which must be positive; it is {before:.3g}", before=before
        )
    return max(0.0, before - after) / before


def full_and_masked_score(net: nn.Module, x: Tensor, score: Score, heatmap: Tensor) -> tuple[float, float]:
    """Return the score of the image, and that of the image multiplied by its normalized heatmap."""
    check_shapes(x, heatmap)
    with torch.no_grad():
        before, after = score_of(score, forward(net, torch.cat([x, x * normalize_map(heatmap)]))).tolist()
    return before, after
