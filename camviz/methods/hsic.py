"""HSIC attribution (Novello et al., NeurIPS 2022)."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..acceleration.many_passes import many_passes, partial_progress
from ..perturbation.coalitions import scores_of_masks
from ..registry import Range, method
from ..runtime.progress import Progress
from ..runtime.rng import Rng
from ..scores import Score
from ..tape import usual_modes


@method(
    "HSIC attribution",
    family="perturbation",
    paper="https://arxiv.org/abs/2206.06219",
    reads="Whether the highlighted cells are visible decides most about {score} in randomly masked images.",
    caution="It does not say whether a cell raises or lowers the score, and with few masks the heatmap is noisy.",
)
@usual_modes()
def hsic(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    samples: Annotated[int, Range(3, 1500), "Number of randomly masked images; the paper uses about 1500"] = 500,
    cells: Annotated[int, Range(2, 32), "Cells of a mask along each side"] = 7,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the masks: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Statistical dependence between the score of randomly masked images and the visibility of each cell.

    map[k] = HSIC(z[k], S) = trace( K[k] H L H ) / N^2, (B, cells, cells), never negative

    K[k][n,m] = 1/2 if cell k is visible in both masked images n, m or in neither, else -1/2;
    L[n,m] = exp( -(S[n] - S[m])^2 / (2 d^2) ), d: the median difference of two scores; H = I - 1/N.

    Finds dependence of any form, where RISE finds differences of the mean score only, and needs fewer passes than Sobol
    attribution.
    """
    x = x.detach()
    visible = (Rng(seed).uniform(samples, cells * cells) < 0.5).to(x)

    def masks(numbers: range) -> Tensor:
        rows = visible[numbers.start : numbers.stop].view(-1, 1, cells, cells)
        return interpolate(rows, size=x.shape[2:], mode="nearest")

    maps = []
    with torch.no_grad(), many_passes(net, x) as passes:
        for number, image in enumerate(x):
            report = partial_progress(progress, number, len(x))
            scores = scores_of_masks(net, image, score, masks, samples, passes.size, report)
            maps.append(dependence(visible, scores).view(cells, cells))
    return torch.stack(maps).to(x)


def dependence(visible: Tensor, scores: Tensor) -> Tensor:
    """Return the HSIC of each column of `visible` (N, M), of 0 and 1, with the scores (N,): (M,), in float64."""
    distance = (scores.double()[:, None] - scores.double()).abs()
    width = distance[~torch.eye(len(scores), dtype=torch.bool, device=scores.device)].median()
    kernel = (-(distance**2) / (2 * width**2 if width > 0 else 1)).exp()
    centered = kernel - kernel.mean(dim=0) - kernel.mean(dim=1, keepdim=True) + kernel.mean()
    signs = 2 * visible.double() - 1
    return ((signs.T @ centered) * signs.T).sum(dim=1) / 2 / len(scores) ** 2
