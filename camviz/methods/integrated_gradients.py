"""Integrated gradients (Sundararajan et al., ICML 2017)."""

from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..acceleration.memory_layout import in_fastest_layout
from ..perturbation.references import BASELINES
from ..registry import Range, method
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import add_note, forward, input_gradient, score_of


@method(
    "Integrated gradients",
    family="gradient",
    paper="https://arxiv.org/abs/1703.01365",
    pixels=True,
    reads="The highlighted pixels contribute most to {score}. The contributions are relative to the baseline, "
    "an empty image.",
    caution="Another baseline gives another heatmap: pixels that equal the baseline get none, whatever they mean "
    "for the class.",
)
def integrated_gradients(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    steps: Annotated[
        int, Range(1, 500), "Points on the path; with more, the sum comes closer to the increase of the score"
    ] = 32,
    baseline: Annotated[
        Literal["mean color", "darkest", "brightest"],
        "The empty image at the start: the mean color of the training images, or in each color channel the "
        "darkest or brightest value of this image (black or white, if it occurs in it)",
    ] = "mean color",
    progress: Progress | None = None,
) -> Tensor:
    """Contribution of each pixel to the score, summed along a path from an empty image to this one.

    map = (x - x0) * sum_k w[k] * dS/dx( x0 + a[k] * (x - x0) ), signed, (B, 3, H, W);  its sum is S(x) - S(x0)

    x0: the baseline; a[k], w[k]: nodes and weights of Gauss-Legendre quadrature on 0 to 1. Unlike one gradient it works
    where the score saturates; but pixels equal to the baseline get no contribution.
    """
    x = x.detach()
    start = BASELINES[baseline](x)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    place, weight = (x.new_tensor(values)[:, None, None, None] for values in ((nodes + 1) / 2, weights / 2))
    with many_passes(net, x, fusion="gradient") as passes:
        with torch.no_grad():
            end, begin = score_of(score, forward(net, in_fastest_layout(torch.cat([x, start])))).chunk(2)
            rise = end - begin
        result = summed_gradients(net, x, score, start, place, weight, passes.size_with_gradient, progress)
    result *= x - start
    record_step(rise=rise, start=start)
    gap = float(((result.sum(dim=(1, 2, 3)) - rise).abs() / rise.abs()).max())
    if gap > 0.1:
        add_note("The map's sum misses {gap:.0%} of the score's increase from the baseline: use more steps.", gap=gap)
    return result


def summed_gradients(
    net: nn.Module,
    x: Tensor,
    score: Score,
    start: Tensor,
    place: Tensor,
    weight: Tensor,
    size: int,
    progress: Progress | None,
) -> Tensor:
    """Return sum_k weight[k] * dS/dx( start + place[k] * (x - start) ), (B, C, H, W); `size` points in a batch.

    x, start: (B, C, H, W); place, weight: (N, 1, 1, 1).
    """
    result = torch.zeros_like(x)
    for number, (first, last) in enumerate(zip(start, x, strict=True)):
        for part in batches(len(place), size, partial_progress(progress, number, len(x))):
            points = in_fastest_layout(first + place[part] * (last - first))
            gradient = input_gradient(net, points, score)
            record_step(place=place[part], weight=weight[part], points=points, gradient=gradient)
            result[number] += (weight[part] * gradient).sum(dim=0)
    return result
