"""Guided Grad-CAM (Selvaraju et al., ICCV 2017)."""

from typing import Annotated

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from .grad_cam import grad_cam
from .guided_backprop import guided_backprop


@method("Guided Grad-CAM", family="gradient", paper="https://arxiv.org/abs/1610.02391", requires="a ReLU", pixels=True)
def guided_grad_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    extended: Annotated[bool, "Also at SiLU, GELU and their kin: an extension that the paper does not define"] = False,
) -> Tensor:
    """The fine lines of guided backpropagation, kept only where Grad-CAM finds evidence for the class.

    map[b,k,i,j] = guided[b,k,i,j] * upsampled( grad_cam[b] )[i,j], signed, (B, 3, H, W)

    Its lines come from guided backpropagation, so what holds against that holds here too.
    """
    lines = guided_backprop(net, x, score, extended=extended)
    region = grad_cam(net, x, score, layer)
    record_step(lines=lines, region=region)
    return lines * interpolate(region[:, None], size=x.shape[-2:], mode="bilinear", align_corners=False)
