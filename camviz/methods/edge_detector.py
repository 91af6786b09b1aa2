"""Edge detector: a control (Adebayo et al., NeurIPS 2018)."""

from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from ..registry import method
from ..scores import Score
from ..tape import usual_modes


@method(
    "Edge detector",
    family="control",
    paper="https://arxiv.org/abs/1810.03292",
    class_specific=False,
    reads="The highlighted pixels are the edges in the image.",
    caution="It is a baseline: it does not use the model. A heatmap that resembles it may show edges rather than "
    "what the model uses.",
)
@usual_modes()
def edge_detector(net: nn.Module, x: Tensor, score: Score) -> Tensor:
    """A control: the edges of the image, independent of the network.

    map[b,i,j] = sqrt( (g * K)^2 + (g * K')^2 ), g = mean of x over the colors, K the Sobel kernel, (B, H, W)

    A map that resembles this control may show the image's edges rather than what the network uses.
    """
    gray = pad(x.detach().mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    sobel = x.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]
    across, down = conv2d(gray, sobel), conv2d(gray, sobel.mT)
    return (across.square() + down.square()).sqrt()[:, 0]
