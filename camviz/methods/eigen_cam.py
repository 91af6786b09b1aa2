"""Eigen-CAM (Muhammad & Yeasin, IJCNN 2020)."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..registry import method
from ..scores import Score
from ..tape import activations, score_of, usual_modes


@method(
    "Eigen-CAM",
    family="cam",
    paper="https://arxiv.org/abs/2008.00299",
    class_specific=False,
    reads="The highlighted region stands out most in the feature maps{where}.",
    caution="It usually shows the most prominent object, whether or not the model uses it for this class.",
)
@usual_modes()
def eigen_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    centered: Annotated[bool, "Subtract the mean of each feature map first, which the paper does not"] = True,
) -> Tensor:
    """The first principal component of the feature maps: what they have in common, whatever the class.

    map[b,h,w] = sum_c A[b,c,h,w] * v[b,c], signed, (B, h, w)

    v is the first left singular vector of A as a matrix of channels by places. Its arbitrary sign is chosen so that
    the map correlates positively with the mean absolute activation.

    Shows the most prominent object without any gradient. It is the same for every class, so it explains none of them.
    """
    activation, scores = activations(net, x, layer)
    score_of(score, scores)  # refuses a class that does not exist, although the map is the same for every class
    places = activation.flatten(2)
    if centered:
        places = places - places.mean(dim=2, keepdim=True)
    component = first_component(places)
    prominent = activation.abs().mean(dim=1).flatten(1)
    sign = ((prominent - prominent.mean(dim=1, keepdim=True)) * component).sum(dim=1, keepdim=True)
    return (component * (2 * (sign >= 0).to(x.dtype) - 1)).reshape(activation[:, 0].shape)


def first_component(places: Tensor) -> Tensor:
    """Return v^T A for A (B, c, n) and its first left singular vector v, from the smaller of A A^T and A^T A."""
    wide = places.shape[2] >= places.shape[1]
    square = (places @ places.mT if wide else places.mT @ places).cpu().double()
    vector = torch.linalg.eigh(square).eigenvectors[:, :, -1:].to(places)
    return (normalize(vector if wide else places @ vector, dim=1) * places).sum(dim=1)
