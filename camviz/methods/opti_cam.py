"""Opti-CAM (Zhang et al., 2023)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes
from ..acceleration.memory_layout import in_fastest_layout
from ..perturbation.masked_scores import masks_of
from ..registry import Range, method
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import activations, input_gradient, usual_modes


@method(
    "Opti-CAM",
    family="cam",
    paper="https://arxiv.org/abs/2301.07002",
    reads="The highlighted region is evidence for {label}{where}: the image masked by this heatmap gives the highest "
    "score.",
    caution="The masked image is unlike the training images, and the mask may find weaknesses of the model instead of "
    "evidence. The heatmap is only as fine as the cells of its layer.",
)
@usual_modes()
def opti_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    steps: Annotated[int, Range(1, 300), "Steps of the optimization, each of one forward and one backward pass"] = 100,
    rate: Annotated[float, Range(0.01, 1, 0.01), "Learning rate"] = 0.1,
    progress: Progress | None = None,
) -> Tensor:
    """Evidence for the class at a layer: the feature maps are weighted so that the image masked by them scores highest.

    map = sum_c w[c] * A[c] - its minimum, w = softmax u, u = argmax S( x * minmax( upsampled( sum_c w[c] * A[c] ) ) )

    A: the feature maps after a ReLU; u is found by Adam, from equal weights; (B, h, w). Adam divides each
    gradient by its size, so rounding in float32 changes the map by several percent; in float64 two programs agree.

    Asks for all weights together what Score-CAM asks for each feature map alone. Takes `steps` forward and backward
    passes, whatever the number of channels.
    """
    x = x.detach()
    activation = activations(net, x, layer)[0].relu()
    with torch.enable_grad(), many_passes(net, x, fusion="gradient"):
        u = torch.zeros(activation.shape[:2], dtype=x.dtype, device=x.device, requires_grad=True)
        adam = torch.optim.Adam([u], lr=rate, maximize=True)
        for step in range(1, steps + 1):
            mask = masks_of(weighted(activation, u), x.shape[2:])
            slope = (input_gradient(net, in_fastest_layout(x * mask.detach()), score) * x).sum(dim=1, keepdim=True)
            (u.grad,) = torch.autograd.grad(mask, u, slope)
            adam.step()
            if progress:
                progress(step, steps)
    found = weighted(activation, u.detach())
    return found - found.amin(dim=(1, 2), keepdim=True)


def weighted(activation: Tensor, u: Tensor) -> Tensor:
    """Return sum_c softmax(u)[b,c] * A[b,c], (B, h, w)."""
    return torch.einsum("bc,bchw->bhw", u.softmax(dim=1), activation)
