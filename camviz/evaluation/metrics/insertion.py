"""Insertion (Petsiuk et al., BMVC 2018)."""

from typing import Annotated

from torch import Tensor, nn

from ...registry import Range
from ...runtime.progress import Progress
from ...scores import Score
from ..perturbation_curve import Curve, Filler, follow_curve
from ..registry import metric


@metric(
    "Insertion",
    better="high",
    cost=29,
    paper="https://arxiv.org/abs/1806.07421",
    limitation="It rewards maps in one piece: a few large patches are easier to recognize in a blur than "
    "the same number of scattered pixels, whichever the network really uses.",
)
def insertion(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heat: Tensor,
    *,
    steps: Annotated[int, Range(2, 224), "How many steps from nothing to the whole picture"] = 28,
    filler: Annotated[Filler, "What is there before: the blurred picture, or the mean color"] = "blur",
    progress: Progress | None = None,
) -> Curve:
    """How fast the score rises while the hottest pixels are brought in: high is good.

    curve(f) = S( filler with the share f of x's pixels, hottest first );  area = integral of it over f in 0..1

    x (1, 3, H, W), heat (H, W). With a probability as the score, areas of pictures and networks compare.
    """
    return follow_curve(net, x, score, heat, steps, filler, bring_back=True, progress=progress)
