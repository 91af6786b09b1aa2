"""Grad-CAM (Selvaraju et al., ICCV 2017)."""

from typing import Annotated

from torch import Tensor, nn

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import record


@method(
    "Grad-CAM",
    family="cam",
    paper="https://arxiv.org/abs/1610.02391",
    reads="The highlighted region is evidence for {label}{where}.",
    caution="The model may also use other parts of the image, and may predict the same without this region. The "
    "heatmap is only as fine as the cells of its layer; the smooth outline comes from interpolation.",
)
def grad_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    counterfactual: Annotated[bool, "Show the evidence against the class instead of the evidence for it"] = False,
) -> Tensor:
    """Evidence for the class at a layer: its feature maps, weighted by their mean gradient.

    w[b,c] = mean_hw dS_b/dA[b,c,h,w];  map[b,h,w] = relu( sum_c w[b,c] * A[b,c,h,w] ), (B, h, w)

    Coarse (the resolution of the layer), but specific to the class. Counterfactual: -w instead of w.
    """
    activation, gradient = record(net, x, score, layer)
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    if counterfactual:
        weight = -weight
    record_step(activation=activation, gradient=gradient, weight=weight)
    return (weight * activation).sum(dim=1).relu()
