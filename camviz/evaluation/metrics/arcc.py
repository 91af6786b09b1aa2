"""ARCC (Domeniconi et al., 2026)."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from ...registry import Range
from ...runtime.progress import Progress
from ...scores import Score
from ..pixel_ranking import check_shapes, normalize_map, pixel_values
from ..registry import Explain, metric
from .road import road

TINY = 1e-8  # keeps divisors away from zero


@dataclass(frozen=True)
class Arcc:
    """The three parts, each from 0 to 1; `float()` of it is their harmonic mean."""

    coherency: float
    simplicity: float
    road: float

    def __float__(self) -> float:
        parts = (self.coherency, self.simplicity, self.road)
        return len(parts) / sum(1 / (part + TINY) for part in parts)


@metric(
    "ARCC",
    better="high",
    cost=2,
    paper="https://arxiv.org/abs/2605.14641",
    limitation="It mixes three properties in one number, of which simplicity rewards small maps, whether or not the "
    "model uses a small part of the image.",
)
def arcc(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heatmap: Tensor,
    explain: Explain,
    *,
    steps: Annotated[int, Range(1, 19), "Number of shares of pixels that ROAD removes, in equal steps"] = 4,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the noise on imputed pixels"] = 0,
    progress: Progress | None = None,
) -> Arcc:
    """Coherency, simplicity and ROAD of the map in one number, their harmonic mean: high is good.

    3 / ( 1/coherency + 1/(1 - mean M) + 1/clip(2 ROAD, 0, 1) ), coherency = (1 + corr(M, M')) / 2

    M: the heatmap, min-max normalized to 0..1; M': that of the image multiplied by M; corr: Pearson's correlation.
    x (1, 3, H, W), heatmap (H, W).
    """
    check_shapes(x, heatmap)
    passes = 2 * steps + 1

    def report(done: int, _: int) -> None:
        if progress:
            progress(done, passes)

    removed = float(road(net, x, score, heatmap, steps=steps, seed=seed, progress=report))
    mask = normalize_map(heatmap)
    again = pixel_values(explain(net, x * mask)[0], (x.shape[-2], x.shape[-1]))
    report(passes, passes)
    pair = torch.stack([mask.flatten(), normalize_map(again).flatten()]).cpu().double()
    correlation = 0.0 if (pair.std(dim=1) == 0).any() else float(pair.corrcoef()[0, 1])
    return Arcc((1 + correlation) / 2, 1 - float(mask.mean()), min(max(2 * removed, 0.0), 1.0))
