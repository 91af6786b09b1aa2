"""Layer-wise relevance propagation (Bach et al., 2015)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..registry import Range, method
from ..relevance.propagation import propagating, relevance_of
from ..relevance.rules import AlphaBeta, Composite, Epsilon, Flat, Gamma, ZBox
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import add_note, input_gradient

Rules = Literal["epsilon-gamma-box", "epsilon-plus", "epsilon-plus-flat", "epsilon-alpha2-beta1"]


@method(
    "Layer-wise relevance propagation",
    family="relevance",
    paper="https://doi.org/10.1371/journal.pone.0130140",
    pixels=True,
)
def lrp(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    composite: Annotated[Rules, "Which rule each layer follows, by its depth"] = "epsilon-gamma-box",
    epsilon: Annotated[float, Range(1e-6, 1.0), "In linear layers: how much weak evidence is dropped"] = 1e-6,
    gamma: Annotated[float, Range(0.0, 10.0), "In convolutions: how much more agreeing evidence counts"] = 0.25,
    low: Annotated[float, Range(-10.0, 0.0), "The least value of a pixel, as the network sees it"] = -3.0,
    high: Annotated[float, Range(0.0, 10.0), "The greatest value of a pixel, as the network sees it"] = 3.0,
) -> Tensor:
    """How much of the score each pixel answers for, shared out layer by layer from the class to the picture.

    R[j] = sum_k c[j,k] / sum_j c[j,k] * R[k], from the relevance R of a layer's outputs k to that of its inputs j,
    where c[j,k] = x[j] w[j,k], as its rule changes it; from S(x) at the class to (B, 3, H, W) at the pixels, signed.

    Hardly noisy; adds up to S(x) but for what biases take (much, in a deep network). The rules are a choice, and shape
    the map. The box of the first layer, -3 to 3, holds every picture that is normalized as for ImageNet.
    """
    chosen = composites(epsilon, gamma, low, high)[composite]
    if isinstance(chosen.first, ZBox) and not low <= x.min() <= x.max() <= high:
        add_note(
            "The picture reaches beyond the box of {low:g} to {high:g} that the first layer's rule assumes.",
            low=low,
            high=high,
        )
    with propagating(chosen):
        relevance = input_gradient(net, x, relevance_of(score))
    record_step(composite=chosen, relevance=relevance)
    return relevance


def composites(epsilon: float = 1e-6, gamma: float = 0.25, low: float = -3, high: float = 3) -> dict[str, Composite]:
    """The rules of the first convolution, of the others, and of linear layers, under the name of each set."""
    linear, plus, mixed = Epsilon(epsilon), AlphaBeta(1), AlphaBeta(2)
    return {
        "epsilon-gamma-box": Composite(ZBox(low, high), Gamma(gamma), linear),
        "epsilon-plus": Composite(plus, plus, linear),
        "epsilon-plus-flat": Composite(Flat(), plus, linear),
        "epsilon-alpha2-beta1": Composite(mixed, mixed, linear),
    }
