"""HiResCAM (Draelos & Carin, 2020)."""

from torch import Tensor, nn

from ..registry import method
from ..scores import Score
from ..tape import record


@method("HiResCAM", family="cam", paper="https://arxiv.org/abs/2011.08891")
def hires_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> Tensor:
    """Evidence for the class at a layer: each activation is weighted by its own gradient.

    map[b,h,w] = relu( sum_c dS_b/dA[b,c,h,w] * A[b,c,h,w] ), (B, h, w)

    Unlike Grad-CAM it never shows a place that the score does not use; where pooling follows, the two are the same.
    """
    activation, gradient = record(net, x, score, layer)
    return (gradient * activation).sum(dim=1).relu()
