"""Deletion (Petsiuk et al., BMVC 2018)."""

from typing import Annotated

from torch import Tensor, nn

from ...registry import Range
from ...runtime.progress import Progress
from ...scores import Score
from ..perturbation_curve import Curve, Filler, follow_curve
from ..registry import metric


@metric(
    "Deletion",
    better="low",
    cost=29,
    paper="https://arxiv.org/abs/1806.07421",
    limitation="A picture with holes is unlike anything the network has learned from: "
    "the score may fall because it looks strange, and not because a reason is gone.",
)
def deletion(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heat: Tensor,
    *,
    steps: Annotated[int, Range(2, 224), "How many steps from the whole picture to nothing"] = 28,
    filler: Annotated[Filler, "What takes the place of a pixel: the blurred picture, or the mean color"] = "mean",
    progress: Progress | None = None,
) -> Curve:
    """How fast the score falls while the hottest pixels are taken away: low is good.

    curve(f) = S( x with the share f of pixels replaced, hottest first );  area = integral of it over f in 0..1

    x (1, 3, H, W), heat (H, W). With a probability as the score, areas of pictures and networks compare.
    """
    return follow_curve(net, x, score, heat, steps, filler, bring_back=False, progress=progress)
