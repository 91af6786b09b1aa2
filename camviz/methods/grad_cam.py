"""Grad-CAM (Selvaraju et al., ICCV 2017)."""

from typing import Annotated

from torch import Tensor, nn

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import record


@method("Grad-CAM", family="cam", paper="https://arxiv.org/abs/1610.02391")
def grad_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    counterfactual: Annotated[bool, "Show what speaks against the class instead of for it"] = False,
) -> Tensor:
    """Where the layer holds evidence for the class: its feature maps, weighted by their mean gradient.

    w[b,c] = mean_hw dS_b/dA[b,c,h,w];  map[b,h,w] = relu( sum_c w[b,c] * A[b,c,h,w] ), (B, h, w)

    Coarse (as many cells as the layer has), but specific to the class. Counterfactual: -w in place of w.
    """
    activation, gradient = record(net, x, score, layer)
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    if counterfactual:
        weight = -weight
    record_step(activation=activation, gradient=gradient, weight=weight)
    return (weight * activation).sum(dim=1).relu()
