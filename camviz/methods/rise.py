"""RISE (Petsiuk et al., BMVC 2018)."""

from math import ceil
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..acceleration.many_passes import many_passes, partial_progress
from ..acceleration.memory_layout import in_fastest_layout
from ..registry import Range, method
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..runtime.rng import Rng
from ..scores import Score, probabilities
from ..tape import forward, score_of, usual_modes


@method(
    "RISE",
    family="perturbation",
    paper="https://arxiv.org/abs/1806.07421",
    reads="In randomly masked images, the highlighted places raise {score} most when they are visible.",
    caution="The masks are random, so details are noise unless another seed shows them too. Masked images are "
    "unlike the training images.",
)
@usual_modes()
def rise(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    masks: Annotated[int, Range(1, 8000), "Number of random masks; the paper uses 4000 to 8000"] = 1000,
    cells: Annotated[int, Range(2, 32), "Cells of a mask along each side: more cells for smaller objects"] = 7,
    keep: Annotated[float, Range(0.05, 0.95, 0.05), "Probability that a cell stays visible"] = 0.5,
    measure: Annotated[
        Literal["class probability", "score"],
        "Weight of a mask: the class probability (as in the paper) or the score itself",
    ] = "class probability",
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the masks: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Places that must be visible for the score to be high, found with random masks.

    map[b,i,j] = 1/(N * keep) * sum_n S(x[b] * M[n]) * M[n,i,j], (B, H, W)

    M[n]: a random grid of cells, 1 with probability `keep`, upsampled smoothly and shifted at random. Uses only the
    network's output. With few masks the map is noisy: compare two seeds before you trust a detail.
    """
    x = x.detach()
    height, width = x.shape[2:]
    cell = (ceil(height / cells), ceil(width / cells))
    rng = Rng(seed)
    grids = (rng.uniform(masks, 1, cells, cells) < keep).to(x)
    shifts = torch.stack([rng.integers(0, side - 1, masks) for side in cell], dim=1).tolist()
    result = torch.zeros_like(x[:, 0])
    with torch.no_grad(), many_passes(net, x) as passes:
        for number, image in enumerate(x):
            for part in batches(masks, passes.size, partial_progress(progress, number, len(x))):
                grown = interpolate(grids[part], size=[(cells + 1) * side for side in cell], mode="bilinear")
                mask = torch.stack(
                    [
                        one[:, top : top + height, left : left + width]
                        for one, (top, left) in zip(grown, shifts[part], strict=True)
                    ]
                )
                scores = forward(net, in_fastest_layout(image * mask))
                weight = score_of(score, scores if measure == "score" else probabilities(scores))
                result[number] += torch.einsum("n,nihw->hw", weight, mask)
    return result / (masks * keep)
