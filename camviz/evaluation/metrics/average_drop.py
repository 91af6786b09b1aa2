"""Average drop (Chattopadhay et al., WACV 2018)."""

import torch
from torch import Tensor, nn

from ...errors import CamvizError
from ...scores import Score
from ...tape import forward, score_of
from ..pixel_ranking import check, unit
from ..registry import metric


@metric(
    "Average drop",
    better="low",
    cost=2,
    paper="https://arxiv.org/abs/1710.11063",
    limitation="A map that marks everything drops nothing, so it looks perfect: read it together with sparseness.",
)
def average_drop(net: nn.Module, x: Tensor, score: Score, heat: Tensor) -> float:
    """What share of the score is lost when only the marked part of the picture stays visible: low is good.

    max(0, S(x) - S(x * M)) / S(x), M = minmax( relu(heat) )

    x (1, 3, H, W), heat (H, W). The average is the one over pictures. Raises CamvizError where S(x) is not positive.
    """
    before, after = through_the_map(net, x, score, heat)
    if before <= 0:
        raise CamvizError(
            "the average drop is a share of the score, which must be positive; it is {before:.3g}", before=before
        )
    return max(0.0, before - after) / before


def through_the_map(net: nn.Module, x: Tensor, score: Score, heat: Tensor) -> tuple[float, float]:
    """The score of the picture, and of the picture seen through the map (dark where the map is cold)."""
    check(x, heat)
    with torch.no_grad():
        before, after = score_of(score, forward(net, torch.cat([x, x * unit(heat)]))).tolist()
    return before, after
