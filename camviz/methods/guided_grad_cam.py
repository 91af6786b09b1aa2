"""Guided Grad-CAM (Selvaraju et al., ICCV 2017)."""

from typing import Annotated

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from .grad_cam import grad_cam
from .guided_backprop import guided_backprop


@method(
    "Guided Grad-CAM",
    family="gradient",
    paper="https://arxiv.org/abs/1610.02391",
    requires="a ReLU",
    pixels=True,
    reads="The lines show structures that activate the model, in the region that is evidence for {label}{where}.",
    caution="Only the region depends on the class: the lines in it are nearly the same for every class.",
)
def guided_grad_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    extended: Annotated[
        bool, "Apply the rule to SiLU, GELU and similar activations too, which the paper does not define"
    ] = False,
) -> Tensor:
    """The fine lines of guided backpropagation, kept only where Grad-CAM finds evidence for the class.

    map[b,k,i,j] = guided[b,k,i,j] * upsampled( grad_cam[b] )[i,j], signed, (B, 3, H, W)

    Its lines come from guided backpropagation and share its weakness: they are hardly specific to the class.
    """
    lines = guided_backprop(net, x, score, extended=extended)
    region = grad_cam(net, x, score, layer)
    record_step(lines=lines, region=region)
    return lines * interpolate(region[:, None], size=x.shape[-2:], mode="bilinear", align_corners=False)
