"""Integrated gradients (Sundararajan et al., ICML 2017)."""

from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..batches import Progress, batches
from ..passes import channels_last, many_passes
from ..registry import Range, method
from ..scores import Score
from ..tape import input_gradient


@method("Integrated gradients", family="gradient", paper="https://arxiv.org/abs/1703.01365")
def integrated_gradients(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    steps: Annotated[int, Range(1, 500), "Gradients taken on the way; more make the sum more exact"] = 32,
    baseline: Annotated[
        Literal["zero", "darkest"],
        "Where the way begins: zero (the network's mean colour), or the darkest of each channel",
    ] = "zero",
    progress: Progress | None = None,
) -> Tensor:
    """What each pixel gives to the score, added up on the way from an empty picture to this one.

    map = (x - x0) * sum_i w[i] * dS/dx at x0 + t[i] * (x - x0), signed, (B, 3, H, W)

    t, w = Gauss-Legendre points and weights on 0..1. The map sums up to S(x) - S(x0), but depends on the baseline x0.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    t, w = (torch.as_tensor(values, dtype=x.dtype, device=x.device) / 2 for values in (points + 1, weights))
    x0 = torch.zeros_like(x) if baseline == "zero" else x.amin(dim=(2, 3), keepdim=True).expand_as(x)
    total = torch.zeros_like(x)
    with many_passes(net, x, fold=False) as passes:
        for part in batches(steps * len(x), passes.size_with_gradient, progress):
            which = torch.arange(part.start, part.stop, device=x.device)
            picture, step = which // steps, which % steps
            way = x0[picture] + t[step, None, None, None] * (x - x0)[picture]
            gradient = input_gradient(net, channels_last(way), score)
            total.index_add_(0, picture, w[step, None, None, None] * gradient)
    return (x - x0) * total
