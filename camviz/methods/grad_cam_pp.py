"""Grad-CAM++ (Chattopadhay et al., WACV 2018)."""

from torch import Tensor, nn

from ..registry import method
from ..scores import Score
from ..tape import add_note, record


@method(
    "Grad-CAM++",
    family="cam",
    paper="https://arxiv.org/abs/1710.11063",
    reads="The highlighted region is evidence for {label}{where}; several objects of the class count alike.",
    caution="Only what raises the score counts, so the region is often larger than what the model needs. The "
    "heatmap is only as fine as the cells of its layer.",
)
def grad_cam_pp(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> Tensor:
    """Evidence for the class at a layer: as Grad-CAM, but all places that raise the score count alike.

    w[b,c] = sum_hw alpha * relu(g);  alpha = g^2 / (2 g^2 + g^3 sum_hw A[b,c]);  map = relu( sum_c w[b,c] * A[b,c] )

    g = dS_b/dA[b,c,h,w] is the gradient; the paper explains exp(S), whose higher derivatives are powers of g. The
    package grad-cam adds 1e-6 to the divisor, which changes the map by several percent where gradients are small.

    Highlights several objects of a class where Grad-CAM highlights one. Defined for non-negative activations only.
    """
    activation, gradient = record(net, x, score, layer)
    gain = gradient.relu()
    divisor = 2 + gain * activation.sum(dim=(2, 3), keepdim=True)
    if (divisor <= 0).any():
        add_note(
            "This layer has negative activations, for which Grad-CAM++ is not defined: "
            "some of its weights are meaningless."
        )
    weight = (gain / divisor.where(divisor != 0, 1)).sum(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1).relu()
