"""ShapleyCAM (Cai, 2025)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..errors import MethodError
from ..registry import method
from ..scores import Score
from ..tape import record_curvature, score_gradient


@method(
    "ShapleyCAM",
    family="cam",
    paper="https://arxiv.org/abs/2501.06261",
    reads="The highlighted region is evidence for {label}{where}, with half of what several feature maps contribute "
    "together.",
    caution="It approximates Shapley values by the second derivative at this image. The heatmap is only as fine as "
    "the cells of its layer.",
)
def shapley_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    utility: Annotated[
        Literal["residual softmax", "score"],
        "What the feature maps share: the score plus its log-probability (as in the paper), or the score alone",
    ] = "residual softmax",
) -> Tensor:
    """Evidence for the class at a layer: each feature map is weighted by its approximate Shapley value.

    w[b,c] = mean_hw( g - H A / 2 )[b,c,h,w];  map[b,h,w] = relu( sum_c w[b,c] * A[b,c,h,w] ), (B, h, w)

    g = dU/dA and H = d2U/dA2 of the utility U = S + log softmax S. The term H A / 2 is the part of a feature map in
    what it does together with others; without it this is Grad-CAM of U.

    Explains S and its competition with other classes in two backward passes. With U = S in a ReLU network H is 0, so
    the map is that of Grad-CAM.
    """
    explained = residual_softmax(score) if utility == "residual softmax" else score
    activation, gradient, curvature = record_curvature(net, x, explained, layer)
    weight = (gradient - curvature / 2).mean(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1).relu()


def residual_softmax(score: Score) -> Score:
    """Return the score S + log softmax S of the score of one class; others raise CamvizError."""

    def utility(scores: Tensor) -> Tensor:
        slope = score_gradient(score, scores)
        if not (slope.count_nonzero(dim=1) == 1).all():
            raise MethodError(
                "the residual softmax is of the score of one class, not of a probability or a difference: choose a "
                "class as target, or the setting utility='score'"
            )
        explained = score(scores)
        return explained + explained - scores.logsumexp(dim=1)

    return utility
