"""Class contrast: the similarity of maps for different classes, as the random logit test of Sixt et al. (ICML 2020)."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from ...errors import MetricError
from ...registry import Range
from ...runtime.progress import Progress
from ...tape import forward
from ..pixel_ranking import pixel_values
from ..rank_correlation import rank_correlation
from ..registry import ExplainClass, metric


@dataclass(frozen=True, eq=False)
class ClassContrastResult:
    """The maps for a class and for other classes; `float()` of it is the mean rank correlation."""

    classes: tuple[int, ...]  # the class itself, then the others, the most probable first
    maps: tuple[Tensor, ...]
    correlations: tuple[float, ...]  # of the others with the first

    def __float__(self) -> float:
        return sum(self.correlations) / len(self.correlations)


@metric(
    "Class contrast",
    better="low",
    cost=6,
    paper="https://arxiv.org/abs/1912.09818",
    limitation="Two classes can share their evidence, such as two breeds of cat in one image, "
    "so a high value alone does not prove a fault.",
)
def class_contrast(
    net: nn.Module,
    x: Tensor,
    target: int,
    explain_class: ExplainClass,
    *,
    others: Annotated[int, Range(1, 50), "Number of other classes to compare with"] = 5,
    progress: Progress | None = None,
) -> ClassContrastResult:
    """Mean rank correlation of the map with maps for other classes: low is good, 1 ignores the class.

    mean over c of Spearman's correlation of map(target) with map(c), c at equal steps from the runner-up to the last

    x (1, 3, H, W); explain_class(c) gives the map of x for class c, batched.
    """
    with torch.no_grad():
        best = forward(net, x)[0].sort(descending=True, stable=True).indices.tolist()
    rivals = [index for index in best if index != target]
    if not rivals:
        raise MetricError("this network has only one class, so there is no other to compare with")
    count = min(others, len(rivals))
    chosen = [rivals[round(step * (len(rivals) - 1) / max(1, count - 1))] for step in range(count)]
    maps: list[Tensor] = []
    for number, index in enumerate((target, *chosen), start=1):
        maps.append(explain_class(index)[0].detach())
        if progress:
            progress(number, count + 1)
    heatmaps = [pixel_values(one, (x.shape[-2], x.shape[-1])).cpu().numpy() for one in maps]
    return ClassContrastResult(
        (target, *chosen), tuple(maps), tuple(rank_correlation(heatmaps[0], heatmap) for heatmap in heatmaps[1:])
    )
