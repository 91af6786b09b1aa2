"""XGrad-CAM (Fu et al., BMVC 2020)."""

from torch import Tensor, nn

from ..registry import method
from ..scores import Score
from ..tape import record


@method(
    "XGrad-CAM",
    family="cam",
    paper="https://arxiv.org/abs/2008.02312",
    reads="The highlighted region is evidence for {label}{where}, by the share of each feature map in the score.",
    caution="A feature map has one weight for all its places, so a place may be highlighted that does not raise "
    "the score. The heatmap is only as fine as the cells of its layer.",
)
def xgrad_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> Tensor:
    """Evidence for the class at a layer: as Grad-CAM, but each gradient is weighted by its activation.

    w[b,c] = sum_hw g * A / sum_hw A;  map[b,h,w] = relu( sum_c w[b,c] * A[b,c,h,w] ), with g = dS_b/dA, (B, h, w)

    Unlike Grad-CAM's, its weights preserve the sum: before the ReLU the map sums to sum_chw g * A (gradient x input).
    """
    activation, gradient = record(net, x, score, layer)
    total = activation.sum(dim=(2, 3), keepdim=True)
    weight = (gradient * activation).sum(dim=(2, 3), keepdim=True) / total.where(total != 0, 1)
    return (weight * activation).sum(dim=1).relu()
