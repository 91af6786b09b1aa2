"""HiResCAM (Draelos & Carin, 2020)."""

from torch import Tensor, nn

from ..registry import method
from ..scores import Score
from ..tape import record


@method(
    "HiResCAM",
    family="cam",
    paper="https://arxiv.org/abs/2011.08891",
    reads="The highlighted region is evidence for {label}{where}: these places contribute most to the score.",
    caution="The contributions are exact only if the network is linear from this layer on; at an early layer "
    "they are an approximation. The heatmap is only as fine as the cells of its layer.",
)
def hires_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> Tensor:
    """Evidence for the class at a layer: each activation is weighted by its own gradient.

    map[b,h,w] = relu( sum_c dS_b/dA[b,c,h,w] * A[b,c,h,w] ), (B, h, w)

    Unlike Grad-CAM it never highlights a place that the score does not use. If global average pooling follows the
    layer, the two are equal.
    """
    activation, gradient = record(net, x, score, layer)
    return (gradient * activation).sum(dim=1).relu()
