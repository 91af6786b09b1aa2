"""Grid pointing game (Zhang et al., ECCV 2016; Böhle et al., CVPR 2021)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import MetricError
from ...runtime.progress import Progress
from ..pixel_ranking import signed_map
from ..registry import ExplainClass, metric


@dataclass(frozen=True, eq=False)
class PointingResult:
    """The map for the class of each quarter, and its share inside that quarter; `float()` of it is the mean share."""

    shares: tuple[float, ...]
    maps: tuple[Tensor, ...]

    def __float__(self) -> float:
        return sum(self.shares) / len(self.shares)


@metric(
    "Pointing game",
    better="high",
    cost=16,
    paper="https://arxiv.org/abs/2104.00032",
    limitation="It shows whether the map finds the right quarter, not whether it finds the right object there; "
    "and the network was not trained on mosaics.",
)
def pointing_game(
    x: Tensor, explain_class: ExplainClass, classes: tuple[int, ...], *, progress: Progress | None = None
) -> PointingResult:
    """In a mosaic of four images, the share of each class's map that lies on its own image: 25% is chance level.

    share[q] = sum over quarter q of relu(map(class q)) / sum over the whole of relu(map(class q))

    x (1, 3, 2H, 2W) from `join_quarters`; explain_class(c) gives its map for class c, batched: (1, h, w), or
    (1, 3, 2H, 2W), whose channels are summed. A map without positive values has the share 0.
    """
    if len(classes) != 4 or len(set(classes)) != 4:
        raise MetricError("a mosaic needs four different classes, one for each quarter; got {classes}", classes=classes)
    maps: list[Tensor] = []
    for index in classes:
        maps.append(explain_class(index)[0].detach())
        if progress:
            progress(len(maps), 4)
    size = (x.shape[-2], x.shape[-1])
    return PointingResult(tuple(share_inside(one, size, quarter) for quarter, one in enumerate(maps)), tuple(maps))


def join_quarters(images: Tensor) -> Tensor:
    """Four images (4, 3, H, W) as one, (1, 3, 2H, 2W): top left, top right, bottom left, bottom right."""
    if images.ndim != 4 or len(images) != 4:
        raise MetricError("a mosaic needs four images, of shape (4, 3, H, W); got {shape}", shape=tuple(images.shape))
    a, b, c, d = images
    return torch.cat([torch.cat([a, b], dim=2), torch.cat([c, d], dim=2)], dim=1)[None]


def share_inside(attribution: Tensor, size: tuple[int, int], quarter: int) -> float:
    """The share of positive attribution inside a quarter (0 to 3, as in `join_quarters`) of a mosaic of that size."""
    positive = signed_map(attribution, size).clamp(min=0).cpu().double()
    top, left = (quarter // 2) * (size[0] // 2), (quarter % 2) * (size[1] // 2)
    inside = positive[top : top + size[0] // 2, left : left + size[1] // 2].sum()
    total = positive.sum()
    return float(inside / total) if total > 0 else 0.0


def most_confident(classes: Sequence[int], probabilities: Sequence[float], least: float = 0.5) -> list[int]:
    """Return the indices of the images for mosaics: the most probable one of each class, in falling probability.

    Images with a probability below `least` are left out.
    """
    found: dict[int, int] = {}
    for number in sorted(range(len(classes)), key=lambda number: -probabilities[number]):
        if probabilities[number] >= least:
            found.setdefault(classes[number], number)
    return list(found.values())
