"""Increase in confidence (Chattopadhay et al., WACV 2018)."""

from torch import Tensor, nn

from ...scores import Score
from ..registry import metric
from .average_drop import through_the_map


@metric(
    "Increase in confidence",
    better="high",
    cost=2,
    paper="https://arxiv.org/abs/1710.11063",
    limitation="It counts how often, not how much; and where the network is sure already, there is nothing to gain.",
)
def increase_in_confidence(net: nn.Module, x: Tensor, score: Score, heat: Tensor) -> float:
    """Whether the network is surer when only the marked part of the picture stays visible: 1 if so, else 0.

    [ S(x * M) > S(x) ], M = minmax( relu(heat) );  over several pictures the mean is the share of them

    x (1, 3, H, W), heat (H, W).
    """
    before, after = through_the_map(net, x, score, heat)
    return float(after > before)
