"""Gradient x input (Shrikumar et al., 2016)."""

from torch import Tensor, nn

from ..registry import method
from ..scores import Score
from ..tape import input_gradient


@method("Gradient x input", family="gradient", paper="https://arxiv.org/abs/1605.01713", pixels=True)
def gradient_x_input(net: nn.Module, x: Tensor, score: Score) -> Tensor:
    """What each pixel gives to the score, if the network were a straight line through this picture.

    map[b,k,i,j] = x[b,k,i,j] * dS_b / dx[b,k,i,j], signed, (B, 3, H, W)

    Sums to the score itself where the network is piecewise linear without biases. Pixels near the mean color, where
    x is about 0, get nothing, however much they matter.
    """
    return x.detach() * input_gradient(net, x, score)
