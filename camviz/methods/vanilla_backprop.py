"""Vanilla backpropagation (Simonyan et al., 2014)."""

from torch import Tensor, nn

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import input_gradient


@method(
    "Vanilla backpropagation",
    family="gradient",
    paper="https://arxiv.org/abs/1312.6034",
    pixels=True,
    reads="Small changes of the highlighted pixels change {score} most.",
    caution="It shows the pixels to which the score is sensitive, not those that the prediction is based on; "
    "edges are highlighted whether or not they matter for this class.",
)
def vanilla_backprop(net: nn.Module, x: Tensor, score: Score) -> Tensor:
    """How much the score would change if a pixel changed a little.

    map[b,k,i,j] = dS_b / dx[b,k,i,j], signed, (B, 3, H, W)

    The simplest map and the noisiest. It shows to which pixels the score is sensitive, not which ones make it up.
    """
    gradient = input_gradient(net, x, score)
    record_step(gradient=gradient)
    return gradient
