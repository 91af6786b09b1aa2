"""Guided backpropagation (Springenberg et al., 2015)."""

from typing import Annotated

from torch import Tensor, nn

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import backward_rule, input_gradient


@method(
    "Guided backpropagation", family="gradient", paper="https://arxiv.org/abs/1412.6806", requires="a ReLU", pixels=True
)
def guided_backprop(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    extended: Annotated[bool, "Also at SiLU, GELU and their kin: an extension that the paper does not define"] = False,
) -> Tensor:
    """Fine lines that excite the network, found by cutting off negative gradients at every ReLU.

    At every ReLU: gradient := max(gradient, 0) * [input > 0]; the map is what reaches x, signed, (B, 3, H, W)

    Crisp, but hardly specific to the class: it shows edges that the network uses, whatever the answer.
    """
    with backward_rule(guided, extended):
        return input_gradient(net, x, score)


def guided(gradient: Tensor, slope: Tensor) -> Tensor:
    """Only what was active on the way up, and pulls up on the way down."""
    record_step(gradient=gradient, slope=slope)
    return (gradient * slope).clamp_(min=0)
