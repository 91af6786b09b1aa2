"""Vanilla backpropagation (Simonyan et al., 2014)."""

from torch import Tensor, nn

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import input_gradient


@method("Vanilla backpropagation", family="gradient", paper="https://arxiv.org/abs/1312.6034", pixels=True)
def vanilla_backprop(net: nn.Module, x: Tensor, score: Score) -> Tensor:
    """How much the score would change if a pixel changed a little.

    map[b,k,i,j] = dS_b / dx[b,k,i,j], signed, (B, 3, H, W)

    The plainest of all maps, and the noisiest: it tells what the score is sensitive to, not what it is made of.
    """
    gradient = input_gradient(net, x, score)
    record_step(gradient=gradient)
    return gradient
