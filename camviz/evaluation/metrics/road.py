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

from ...acceleration.conv_bn_fusion import channels_last
from ...acceleration.many_passes import many_passes
from ...errors import CamvizError
from ...registry import Range
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...scores import Score
from ...tape import forward, score_of
from ..pixel_ranking import check, ranks
from ..registry import metric

NEIGHBORS = {(i, j): 1 / 6 if 0 in (i, j) else 1 / 12 for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)}


@dataclass(frozen=True)
class Road:
    """The score after removing a share of the pixels, the hottest or the coldest; `float()` of it is the number."""

    fractions: tuple[float, ...]
    hottest: tuple[float, ...]
    coldest: tuple[float, ...]

    def __float__(self) -> float:
        gaps = [cold - hot for hot, cold in zip(self.hottest, self.coldest, strict=True)]
        return sum(gaps) / len(gaps) / 2


@metric(
    "ROAD",
    better="high",
    cost=80,
    paper="https://arxiv.org/abs/2202.00449",
    limitation="Filled-in pixels still leak a little of what was there, and a smooth patch is a picture of something "
    "too; it says which pixels matter together, not what each is worth.",
)
def road(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heat: Tensor,
    *,
    steps: Annotated[int, Range(1, 50), "How many shares of pixels are tried, in equal steps between 0 and 1"] = 9,
    noise: Annotated[float, Range(0, 1, 0.01), "Standard deviation of the noise on what is filled in"] = 0.01,
    seed: Annotated[int, Range(0, 2**31 - 1), "Which noise: the same seed gives the same number"] = 0,
    progress: Progress | None = None,
) -> Road:
    """Whether taking away the hottest pixels hurts more than the coldest, with the holes filled in smoothly.

    mean over f of ( S(x without the coldest f) - S(x without the hottest f) ) / 2, f = 1/(steps+1) ... steps/(steps+1)

    A missing pixel is the weighted mean of its neighbors (1/6 beside, 1/12 across), known or missing, plus noise:
    one sparse linear system a mask, so that its shape gives nothing away. x (1, 3, H, W), heat (H, W).
    """
    check(x, heat)
    rng = Rng(seed)
    place = ranks(heat).view(heat.shape).cpu().numpy()
    counts = [round(heat.numel() * step / (steps + 1)) for step in range(1, steps + 1)]
    if counts[0] == 0:
        raise CamvizError(
            "a picture of {pixels} pixels is too small for {steps} steps", pixels=heat.numel(), steps=steps
        )
    image = x.detach()[0].cpu().double().numpy()
    values: list[float] = []

    def holes() -> Iterator[NDArray[np.bool_]]:
        for count in counts:
            yield place < count
            yield place >= heat.numel() - count

    with torch.no_grad(), many_passes(net, x) as passes:
        waiting: list[Tensor] = []
        for hole in holes():
            picture = torch.from_numpy(imputed(image, hole)).to(x)
            rough = rng.normal(*picture.shape, dtype=torch.float64).to(x) * noise
            waiting.append(picture + rough * torch.from_numpy(hole).to(x))
            done = len(values) + len(waiting)
            if len(waiting) == passes.size or done == 2 * steps:
                values += score_of(score, forward(net, channels_last(torch.stack(waiting)))).tolist()
                waiting = []
            if progress:
                progress(done, 2 * steps)
    return Road(tuple(count / heat.numel() for count in counts), tuple(values[::2]), tuple(values[1::2]))


def imputed(image: NDArray[np.float64], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The image (C, H, W) with the pixels of `hole` (H, W) replaced by the weighted means of their neighbors.

    At the border the neighbors that exist share the weight. Raises CamvizError where nothing is left to go by.
    """
    if hole.all():
        raise CamvizError("every pixel is missing, so there is nothing to fill them in from")
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
    # Symmetric with a heavy diagonal: no pivoting is needed, so the graph may be ordered for little fill.
    solver = splu(
        csc_array((values, (row, column)), shape=(count, count)),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    result = image.copy()
    result[:, rows, columns] = solver.solve(known).T
    return result
