"""Random-CAM: a control."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..registry import Range, method
from ..runtime.rng import Rng
from ..scores import Score
from ..tape import activations, score_of, usual_modes


@method(
    "Random-CAM",
    family="control",
    paper="https://github.com/jacobgil/pytorch-grad-cam",
    class_specific=False,
    reads="The highlighted places are those of a random mixture of the feature maps{where}.",
    caution="It is a baseline: it shows where the layer is active, and nothing about the prediction.",
)
@usual_modes()
def random_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random weights: the same seed gives the same map"] = 0,
) -> Tensor:
    """A control: the feature maps of a layer with random weights, independent of the class.

    map[b,h,w] = relu( sum_c w[c] * A[b,c,h,w] ), w[c] uniform in -1 to 1, (B, h, w)

    A class activation map that is no better than this control owes its shape to the layer, not to its weights.
    """
    activation, scores = activations(net, x, layer)
    score_of(score, scores)  # refuses a class that does not exist
    weight = Rng(seed).uniform(activation.shape[1], dtype=torch.float64) * 2 - 1
    return torch.einsum("c,bchw->bhw", weight.to(activation), activation).relu()
