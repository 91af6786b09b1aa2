"""Layer-wise relevance propagation (Bach et al., 2015)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..registry import Range, method
from ..relevance.propagation import propagating, relevance_of
from ..relevance.rules import AlphaBeta, Composite, Epsilon, Flat, Gamma, ZBox
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import add_note, input_gradient, isolated

Rules = Literal["epsilon-gamma-box", "epsilon-plus", "epsilon-plus-flat", "epsilon-alpha2-beta1"]


@method(
    "Layer-wise relevance propagation",
    family="relevance",
    paper="https://doi.org/10.1371/journal.pone.0130140",
    pixels=True,
    reads="Most of {score} is assigned to the highlighted pixels.",
    caution="It does not show what would happen without a part of the image: the score is distributed by rules "
    "that were chosen by hand.",
)
@isolated
def lrp(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    composite: Annotated[Rules, "Rules for the layers, by their depth"] = "epsilon-gamma-box",
    epsilon: Annotated[float, Range(1e-6, 1.0), "Linear layers: how strongly weak contributions are absorbed"] = 1e-6,
    gamma: Annotated[float, Range(0.0, 10.0), "Convolutions: additional weight of positive contributions"] = 0.25,
    low: Annotated[float, Range(-10.0, 0.0), "Smallest value of a pixel after normalization"] = -3.0,
    high: Annotated[float, Range(0.0, 10.0), "Largest value of a pixel after normalization"] = 3.0,
) -> Tensor:
    """Share of each pixel in the score, distributed layer by layer from the class back to the image.

    R[j] = sum_k c[j,k] / sum_j c[j,k] * R[k], from the relevance R[k] of a layer's outputs to R[j] of its inputs, with
    c[j,k] = x[j] w[j,k] modified by the layer's rule; from S(x) at the class to (B, 3, H, W) at the pixels, signed.

    Has little noise; sums to S(x) minus the relevance absorbed by biases (much in a deep network). The choice of rules
    shapes the map. The first layer's box, -3 to 3, contains every image with ImageNet normalization.
    """
    chosen = composites(epsilon, gamma, low, high)[composite]
    if isinstance(chosen.first, ZBox) and not low <= x.min() <= x.max() <= high:
        add_note(
            "The image has values outside the box of {low:g} to {high:g} that the first layer's rule assumes.",
            low=low,
            high=high,
        )
    with propagating(chosen):
        relevance = input_gradient(net, x, relevance_of(score))
    record_step(composite=chosen, relevance=relevance)
    return relevance


def composites(epsilon: float = 1e-6, gamma: float = 0.25, low: float = -3, high: float = 3) -> dict[str, Composite]:
    """Return, by name, the sets of rules for the first convolution, the other convolutions and linear layers."""
    linear, plus, mixed = Epsilon(epsilon), AlphaBeta(1), AlphaBeta(2)
    return {
        "epsilon-gamma-box": Composite(ZBox(low, high), Gamma(gamma), linear),
        "epsilon-plus": Composite(plus, plus, linear),
        "epsilon-plus-flat": Composite(Flat(), plus, linear),
        "epsilon-alpha2-beta1": Composite(mixed, mixed, linear),
    }
