"""Deletion (Petsiuk et al., BMVC 2018)."""

from typing import Annotated

from torch import Tensor, nn

from ...registry import Range
from ...runtime.progress import Progress
from ...scores import Score
from ..perturbation_curve import Curve, Filler, perturbation_curve
from ..registry import metric


@metric(
    "Deletion",
    better="low",
    cost=29,
    paper="https://arxiv.org/abs/1806.07421",
    limitation="An image with missing pixels is unlike the training images: "
    "the score may fall because it looks unnatural, not because evidence is gone.",
)
def deletion(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heatmap: Tensor,
    *,
    steps: Annotated[int, Range(2, 224), "Number of steps from the whole image to none of it"] = 28,
    filler: Annotated[Filler, "Replacement of removed pixels: the blurred image, or the mean color"] = "mean",
    progress: Progress | None = None,
) -> Curve:
    """How fast the score falls as the most important pixels are removed first: low is good.

    curve(f) = S( x with the share f of its pixels replaced, most important first )
    area = integral of curve(f) over f in 0..1

    x (1, 3, H, W), heatmap (H, W). If the score is a probability, areas of different images and networks compare.
    """
    return perturbation_curve(net, x, score, heatmap, steps, filler, insert=False, progress=progress)
