"""DeepLIFT (Shrikumar et al., ICML 2017), by its rescale rule."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..perturbation.references import BASELINES
from ..registry import method
from ..relevance.differences import rescaled_gradient
from ..scores import Score


@method(
    "DeepLIFT",
    family="relevance",
    paper="https://arxiv.org/abs/1704.02685",
    pixels=True,
    reads="The highlighted pixels contribute most to {score}. The contributions are relative to a reference, an empty "
    "image.",
    caution="Another reference gives another heatmap: pixels that equal it get none, whatever they mean for the class.",
)
def deep_lift(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    baseline: Annotated[
        Literal["mean color", "darkest", "brightest"],
        "The reference image: the mean color of the training images, or in each color channel the darkest or "
        "brightest value of this image (black or white, if it occurs in it)",
    ] = "mean color",
) -> Tensor:
    """Contribution of each pixel to the score's difference from a reference, in two passes.

    map = (x - x0) * m, m = dS/dx with (f(x) - f(x0)) / (x - x0) instead of f'(x) at every nonlinear step, (B, 3, H, W)

    x0: the reference. The map is signed and its sum is S(x) - S(x0), as that of integrated gradients in many passes.

    It works where gradients vanish, as it compares two passes. ReLUs that are functions, in place or used again follow
    the rule too; a product of two branches is divided between them.
    """
    start = BASELINES[baseline]
    return (x.detach() - start(x.detach())) * rescaled_gradient(net, x, score, start)
