"""ROAD: remove and debias (Rong et al., ICML 2022)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import splu  # type: ignore[import-untyped]
from torch import Tensor, nn

from ...acceleration.many_passes import many_passes
from ...acceleration.memory_layout import in_fastest_layout
from ...errors import MetricError
from ...registry import Range
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...scores import Score
from ...tape import forward, score_of
from ..pixel_ranking import check_shapes, pixel_ranks
from ..registry import metric

NEIGHBORS = {(i, j): 1 / 6 if 0 in (i, j) else 1 / 12 for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)}


@dataclass(frozen=True)
class Road:
    """The scores after removing shares of the pixels, by relevance; `float()` of it is the metric's value."""

    fractions: tuple[float, ...]
    most_relevant_first: tuple[float, ...]
    least_relevant_first: tuple[float, ...]

    def __float__(self) -> float:
        pairs = zip(self.most_relevant_first, self.least_relevant_first, strict=True)
        gaps = [least - most for most, least in pairs]
        return sum(gaps) / len(gaps) / 2


@metric(
    "ROAD",
    better="high",
    cost=80,
    paper="https://arxiv.org/abs/2202.00449",
    limitation="Imputed pixels still hold some of the removed information, and a smooth patch is image content "
    "too; it measures how much pixels matter together, not each one alone.",
)
def road(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heatmap: Tensor,
    *,
    steps: Annotated[int, Range(1, 50), "Number of shares of pixels, in equal steps between 0 and 1"] = 9,
    noise: Annotated[float, Range(0, 1, 0.01), "Standard deviation of the noise on imputed pixels"] = 0.01,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the noise"] = 0,
    progress: Progress | None = None,
) -> Road:
    """How much more the score falls without the most important pixels than without the least important: high is good.

    mean over f of ( S(x without the least f) - S(x without the most f) ) / 2, f = 1/(steps+1) ... steps/(steps+1)

    "Most" and "least" are the shares f of the pixels with the largest and smallest values. A removed pixel becomes the
    weighted mean of its neighbors (1/6 beside, 1/12 diagonal), known or removed, plus noise: one sparse linear system
    for each mask, so that its shape is hard to recognize. x (1, 3, H, W), heatmap (H, W).
    """
    check_shapes(x, heatmap)
    rng = Rng(seed)
    place = pixel_ranks(heatmap).view(heatmap.shape).cpu().numpy()
    counts = [round(heatmap.numel() * step / (steps + 1)) for step in range(1, steps + 1)]
    if counts[0] == 0:
        raise MetricError(
            "an image of {pixels} pixels is too small for {steps} steps", pixels=heatmap.numel(), steps=steps
        )
    image = x.detach()[0].cpu().double().numpy()
    values: list[float] = []

    def holes() -> Iterator[NDArray[np.bool_]]:
        for count in counts:
            yield place < count
            yield place >= heatmap.numel() - count

    with torch.no_grad(), many_passes(net, x) as passes:
        waiting: list[Tensor] = []
        for hole in holes():
            imputed = torch.from_numpy(impute(image, hole)).to(x)
            rough = rng.normal(*imputed.shape, dtype=torch.float64).to(x) * noise
            waiting.append(imputed + rough * torch.from_numpy(hole).to(x))
            done = len(values) + len(waiting)
            if len(waiting) == passes.size or done == 2 * steps:
                values += score_of(score, forward(net, in_fastest_layout(torch.stack(waiting)))).tolist()
                waiting = []
            if progress:
                progress(done, 2 * steps)
    return Road(tuple(count / heatmap.numel() for count in counts), tuple(values[::2]), tuple(values[1::2]))


def impute(image: NDArray[np.float64], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the image (C, H, W) with the pixels of `hole` (H, W) replaced by the weighted means of their neighbors.

    At the border the existing neighbors share the weight. Raises CamvizError if no pixel is known.
    """
    if hole.all():
        raise MetricError("all pixels are missing, so none of them can be imputed")
    height, width = hole.shape
    rows, columns = np.nonzero(hole)
    count = len(rows)
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(count)
    weights, known = np.zeros(count), np.zeros((count, len(image)))
    entries = []
    for (down, right), weight in NEIGHBORS.items():
        near, beside = rows + down, columns + right
        exists = np.flatnonzero((near >= 0) & (near < height) & (beside >= 0) & (beside < width))
        near, beside = near[exists], beside[exists]
        weights[exists] += weight
        other = number[near, beside]
        given = other < 0
        known[exists[given]] += weight * image[:, near[given], beside[given]].T
        entries.append((np.full((~given).sum(), -weight), exists[~given], other[~given]))
    entries.append((weights, np.arange(count), np.arange(count)))
    values, row, column = (np.concatenate(part) for part in zip(*entries, strict=True))
    # Symmetric and diagonally dominant: without pivoting, the order can be chosen for little fill-in.
    solver = splu(
        csc_array((values, (row, column)), shape=(count, count)),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    result = image.copy()
    result[:, rows, columns] = solver.solve(known).T
    return result
