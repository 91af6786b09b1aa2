"""Insertion (Petsiuk et al., BMVC 2018)."""

from typing import Annotated

from torch import Tensor, nn

from ...registry import Range
from ...runtime.progress import Progress
from ...scores import Score
from ..perturbation_curve import Curve, Filler, perturbation_curve
from ..registry import metric


@metric(
    "Insertion",
    better="high",
    cost=29,
    paper="https://arxiv.org/abs/1806.07421",
    limitation="It favors connected maps: a few large patches are easier to recognize in a blurred image than "
    "the same number of scattered pixels, whichever of them the network uses.",
)
def insertion(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heatmap: Tensor,
    *,
    steps: Annotated[int, Range(2, 224), "Number of steps from none of the image to the whole"] = 28,
    filler: Annotated[Filler, "Image at the start: the blurred image, or the mean color"] = "blur",
    progress: Progress | None = None,
) -> Curve:
    """How fast the score rises as the most important pixels are restored first: high is good.

    curve(f) = S( filler with the share f of x's pixels, most important first )
    area = integral of curve(f) over f in 0..1

    x (1, 3, H, W), heatmap (H, W). If the score is a probability, areas of different images and networks compare.
    """
    return perturbation_curve(net, x, score, heatmap, steps, filler, insert=True, progress=progress)
