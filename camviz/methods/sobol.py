"""Sobol attribution (Fel et al., NeurIPS 2021)."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.quasirandom import SobolEngine

from ..acceleration.many_passes import many_passes, partial_progress
from ..perturbation.coalitions import scores_of_masks
from ..registry import Range, method
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import usual_modes


@method(
    "Sobol attribution",
    family="perturbation",
    paper="https://arxiv.org/abs/2111.04138",
    reads="Darkening the highlighted cells changes {score} most, alone or together with other cells.",
    caution="It does not say whether a cell raises or lowers the score. Masked images are unlike the training images.",
)
@usual_modes()
def sobol(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    samples: Annotated[int, Range(2, 32), "Masks for each cell; the passes are this number times cells^2 + 1"] = 16,
    cells: Annotated[int, Range(2, 16), "Cells of a mask along each side"] = 8,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the masks: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Share of each cell of a grid in the variance of the score under random masks, interactions included.

    map[k] = mean_n ( S(x * A[n]) - S(x * A[n] with cell k of B[n]) )^2 / (2 var_n S(x * A[n])), (B, cells, cells)

    A, B: two sets of masks with values of 0 to 1 for each cell, from a scrambled Sobol sequence; this is Jansen's
    estimate of the total Sobol index.

    Uses only the network's output, and finds cells that matter only together with others, which hiding them one by one
    misses.
    """
    x = x.detach()
    count = cells * cells
    sequence = SobolEngine(2 * count, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    drawn = sequence.draw(samples, dtype=torch.float64).to(x)
    one, other = drawn.chunk(2, dim=1)

    def masks(numbers: range) -> Tensor:
        rows = one[[number % samples for number in numbers]]  # first A, then A with cell 0 of B, cell 1 of B, ...
        for row, number in zip(rows, numbers, strict=True):
            if changed := number // samples:
                row[changed - 1] = other[number % samples, changed - 1]
        return interpolate(rows.view(-1, 1, cells, cells), size=x.shape[2:], mode="nearest")

    maps = []
    with torch.no_grad(), many_passes(net, x) as passes:
        for number, image in enumerate(x):
            report = partial_progress(progress, number, len(x))
            scores = scores_of_masks(net, image, score, masks, samples * (count + 1), passes.size, report)
            plain, *changed = scores.view(count + 1, samples)
            spread = plain.var(correction=0)
            total = (torch.stack(changed) - plain).square().mean(dim=1) / 2
            maps.append((total / spread.where(spread > 0, 1)).view(cells, cells))
    return torch.stack(maps)
