"""Layer-CAM (Jiang et al., 2021)."""

from torch import Tensor, nn

from ..registry import method
from ..scores import Score
from ..tape import record


@method(
    "Layer-CAM",
    family="cam",
    paper="https://ieeexplore.ieee.org/document/9462463",
    reads="The highlighted region is evidence for {label}{where}: these places are active and raise the score.",
    caution="Evidence against the class is left out. At early layers edges and textures outside the object are "
    "highlighted too.",
)
def layer_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> Tensor:
    """Evidence for the class at a layer: each activation is weighted by its own positive gradient.

    map[b,h,w] = relu( sum_c relu(dS_b/dA[b,c,h,w]) * A[b,c,h,w] ), (B, h, w)

    Sharper than Grad-CAM in early layers; noisy where gradients saturate.
    """
    activation, gradient = record(net, x, score, layer)
    return (gradient.relu() * activation).sum(dim=1).relu()
