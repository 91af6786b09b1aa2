"""Center Gaussian: a control."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..registry import Range, method
from ..scores import Score


@method(
    "Center Gaussian",
    family="control",
    paper="https://arxiv.org/abs/1604.03605",
    class_specific=False,
    reads="The highlighted spot is the center of the image, whatever the image shows.",
    caution="It is a baseline: it uses neither the model nor the image. A heatmap should locate objects better "
    "than it does.",
)
def center_gaussian(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    width: Annotated[float, Range(0.05, 1, 0.05), "Standard deviation, as a share of the image's sides"] = 0.25,
) -> Tensor:
    """A control: a spot in the center, independent of the network and of the image.

    map[b,i,j] = exp( -(u[i]^2 + v[j]^2) / (2 * width^2) ), u, v: distance from the center in sides, (B, H, W)

    Photographs often show their subject in the center, so this control localizes objects well; a map should do better.
    """
    spots = []
    for length in x.shape[2:]:
        distance = (torch.arange(length, dtype=x.dtype, device=x.device) + 0.5) / length - 0.5
        spots.append((-distance.square() / (2 * width**2)).exp())
    return torch.outer(*spots).expand(len(x), -1, -1).clone()
