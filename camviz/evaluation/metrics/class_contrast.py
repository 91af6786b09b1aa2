"""Contrast of classes: does the map know what it explains? The counterpart of random labels."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from ...errors import CamvizError
from ...registry import Range
from ...runtime.progress import Progress
from ...tape import forward
from ..pixel_ranking import pixel_values
from ..rank_correlation import rank_correlation
from ..registry import ExplainClass, metric


@dataclass(frozen=True, eq=False)
class ClassContrastResult:
    """The map for one class against the maps for others; `float()` of it is the mean rank correlation."""

    classes: tuple[int, ...]  # the class itself, then the others, the likeliest first
    maps: tuple[Tensor, ...]
    correlations: tuple[float, ...]  # of the others with the first

    def __float__(self) -> float:
        return sum(self.correlations) / len(self.correlations)


@metric(
    "Class contrast",
    better="low",
    cost=6,
    paper="https://arxiv.org/abs/1810.03292",
    limitation="Two classes may rightly share their reasons (two kinds of cat in one picture), "
    "so a high number is a question and not a verdict.",
)
def class_contrast(
    net: nn.Module,
    x: Tensor,
    target: int,
    explain_class: ExplainClass,
    *,
    others: Annotated[int, Range(1, 50), "With how many other classes the map is compared"] = 5,
    progress: Progress | None = None,
) -> ClassContrastResult:
    """How much the map for this class is like the maps for other classes: low is good, 1 means it ignores the class.

    mean over c of Spearman's correlation of map(target) with map(c), c = the runner-up, then every so many ranks down

    x (1, 3, H, W); explain_class(c) gives the map of x for class c, batched.
    """
    with torch.no_grad():
        best = forward(net, x)[0].sort(descending=True, stable=True).indices.tolist()
    rivals = [index for index in best if index != target]
    if not rivals:
        raise CamvizError("this network knows one class only, so there is nothing to tell apart")
    count = min(others, len(rivals))
    chosen = [rivals[round(step * (len(rivals) - 1) / max(1, count - 1))] for step in range(count)]
    maps: list[Tensor] = []
    for number, index in enumerate((target, *chosen), start=1):
        maps.append(explain_class(index)[0].detach())
        if progress:
            progress(number, count + 1)
    heats = [pixel_values(one, (x.shape[-2], x.shape[-1])).cpu().numpy() for one in maps]
    return ClassContrastResult(
        (target, *chosen), tuple(maps), tuple(rank_correlation(heats[0], heat) for heat in heats[1:])
    )
