"""Increase in confidence (Chattopadhay et al., WACV 2018)."""

from torch import Tensor, nn

from ...scores import Score
from ..registry import metric
from .average_drop import full_and_masked_score


@metric(
    "Increase in confidence",
    better="high",
    cost=2,
    paper="https://arxiv.org/abs/1710.11063",
    limitation="It counts how often the score rises, not by how much; a score near its maximum can hardly rise.",
)
def increase_in_confidence(net: nn.Module, x: Tensor, score: Score, heatmap: Tensor) -> float:
    """Whether the score rises when the image is multiplied by its heatmap: 1 if it does, else 0.

    [ S(x * M) > S(x) ], M = minmax( relu(heatmap) );  the mean over images is the share of those where it rises

    x (1, 3, H, W), heatmap (H, W).
    """
    before, after = full_and_masked_score(net, x, score, heatmap)
    return float(after > before)
