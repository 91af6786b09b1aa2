"""Gradient x input (Shrikumar et al., 2016)."""

from torch import Tensor, nn

from ..registry import method
from ..scores import Score
from ..tape import input_gradient


@method(
    "Gradient x input",
    family="gradient",
    paper="https://arxiv.org/abs/1605.01713",
    pixels=True,
    reads="The highlighted pixels contribute most to {score}. The contributions are relative to an image of "
    "the mean color, as if the model were linear.",
    caution="The model is not linear, so the contributions are a rough approximation. Pixels of the mean color "
    "get none, whatever they mean for the class.",
)
def gradient_x_input(net: nn.Module, x: Tensor, score: Score) -> Tensor:
    """Contribution of each pixel to the score, if the network were linear around this image.

    map[b,k,i,j] = x[b,k,i,j] * dS_b / dx[b,k,i,j], signed, (B, 3, H, W)

    Sums to the score if the network is piecewise linear without biases. Pixels near the mean color (x about 0) get no
    contribution, however important they are.
    """
    return x.detach() * input_gradient(net, x, score)
