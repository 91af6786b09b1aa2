"""Guided backpropagation (Springenberg et al., 2015)."""

from typing import Annotated

from torch import Tensor, nn

from ..registry import method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import backward_rule, input_gradient


@method(
    "Guided backpropagation",
    family="gradient",
    paper="https://arxiv.org/abs/1412.6806",
    requires="a ReLU",
    pixels=True,
    reads="The lines show structures that activate the model; they are nearly the same for every class.",
    caution="It hardly depends on the class: do not read it as the reason for this prediction.",
)
def guided_backprop(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    extended: Annotated[
        bool, "Apply the rule to SiLU, GELU and similar activations too, which the paper does not define"
    ] = False,
) -> Tensor:
    """Fine lines that activate the network: the gradient, with negative values set to zero at every ReLU.

    At every ReLU: gradient := max(gradient, 0) * [input > 0]; the map is the gradient at x, signed, (B, 3, H, W)

    Sharp, but hardly specific to the class: it shows edges that the network uses, whatever class it predicts.
    """
    with backward_rule(guided, extended):
        return input_gradient(net, x, score)


def guided(gradient: Tensor, slope: Tensor) -> Tensor:
    """Return the gradient that guided backpropagation passes back through a ReLU: its positive part, if active."""
    record_step(gradient=gradient, slope=slope)
    return (gradient * slope).clamp_(min=0)
