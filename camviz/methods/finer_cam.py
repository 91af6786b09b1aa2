"""Finer-CAM (Zhang et al., CVPR 2025)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..errors import MethodError
from ..registry import Range, method
from ..scores import Score
from ..tape import score_gradient
from .grad_cam import grad_cam


@method(
    "Finer-CAM",
    family="cam",
    paper="https://arxiv.org/abs/2501.11309",
    reads="The highlighted region distinguishes {label} from the most similar classes{where}.",
    caution="Evidence that similar classes share is removed, so the model uses more than this region. The "
    "heatmap is only as fine as the cells of its layer.",
)
def finer_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    alpha: Annotated[
        float, Range(0, 2, 0.1), "Weight of the similar classes' scores, which are subtracted; 0 gives Grad-CAM"
    ] = 1,
    similar: Annotated[int, Range(1, 20), "Number of most similar classes to compare with"] = 3,
    weighting: Annotated[
        Literal["probability", "equal"], "Weight similar classes by their probability, or all equally"
    ] = "probability",
) -> Tensor:
    """What distinguishes the class from similar classes: Grad-CAM of the difference of their scores.

    Grad-CAM of S' = S - alpha * sum_d q[d] * z[d], over the similar classes d, (B, h, w)

    z are the class scores and S is one of them. The similar classes d are those with the scores nearest to S; q is the
    softmax over their scores, or 1 / their number.

    Removes evidence shared with similar classes (an animal's body) and keeps what is specific (its markings).
    """

    def difference(scores: Tensor) -> Tensor:
        slope = score_gradient(score, scores)
        if scores.shape[1] < 2 or not (slope.count_nonzero(dim=1) == 1).all():
            raise MethodError(
                "Finer-CAM compares one class with similar classes, so it explains the score of one class only, "
                "not a probability or a difference: choose a class as target"
            )
        own = scores.gather(1, slope.abs().argmax(dim=1, keepdim=True))
        distance = (scores - own).abs().scatter(1, slope.abs().argmax(dim=1, keepdim=True), torch.inf)
        nearest = distance.topk(min(similar, scores.shape[1] - 1), largest=False).indices
        others = scores.gather(1, nearest)
        share = others.softmax(dim=1) if weighting == "probability" else torch.full_like(others, 1 / others.shape[1])
        return score(scores) - alpha * (share * others).sum(dim=1)

    return grad_cam(net, x, difference, layer)
