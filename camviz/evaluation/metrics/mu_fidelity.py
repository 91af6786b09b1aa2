"""MuFidelity (Bhatt et al., IJCAI 2020)."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...acceleration.many_passes import many_passes
from ...acceleration.memory_layout import in_fastest_layout
from ...registry import Range
from ...runtime.batching import batches
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...scores import Score
from ...tape import forward, score_of
from ..pixel_ranking import check_shapes, signed_map
from ..rank_correlation import rank_correlation
from ..registry import metric


@metric(
    "MuFidelity",
    better="high",
    cost=200,
    paper="https://arxiv.org/abs/2005.00631",
    limitation="Images with hidden cells are unlike the training images. It looks at the order of the drops only, not "
    "at their size.",
)
def mu_fidelity(
    net: nn.Module,
    x: Tensor,
    score: Score,
    attribution: Tensor,
    *,
    samples: Annotated[int, Range(3, 1000), "Number of random sets of cells that are hidden"] = 200,
    cells: Annotated[int, Range(2, 32), "Cells along each side of the image"] = 9,
    share: Annotated[float, Range(0.05, 0.95, 0.05), "Share of the cells that are hidden"] = 0.2,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random sets"] = 0,
    progress: Progress | None = None,
) -> float:
    """How well the map predicts by how much hiding random sets of cells lowers the score: 1 is perfect, 0 useless.

    rho( sum of the map in the set Z[n], S(x) - S(x without Z[n]) ) over n, Spearman's rank correlation

    Hidden cells get the mean color of the training images. x (1, 3, H, W); attribution (h, w) or (3, H, W), signed.
    """
    size = (x.shape[-2], x.shape[-1])
    flat = signed_map(attribution, size)
    check_shapes(x, flat)
    x = x.detach()
    rng, count = Rng(seed), max(1, round(share * cells * cells))
    sets = torch.zeros(samples, cells * cells, device="cpu")
    for row in sets:
        row[rng.permutation(cells * cells)[:count]] = 1
    hidden = sets.view(samples, 1, cells, cells).to(x)
    predicted, actual = x.new_empty(samples), x.new_empty(samples)
    with torch.no_grad(), many_passes(net, x) as passes:
        whole = score_of(score, forward(net, x))
        for part in batches(samples, passes.size, progress):
            mask = interpolate(hidden[part], size=size, mode="nearest")
            predicted[part] = (mask[:, 0] * flat).sum(dim=(1, 2))
            actual[part] = whole - score_of(score, forward(net, in_fastest_layout(x * (1 - mask))))
    return rank_correlation(predicted.cpu().double().numpy(), actual.cpu().double().numpy())
