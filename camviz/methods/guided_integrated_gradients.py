"""Guided integrated gradients (Kapishnikov et al., CVPR 2021)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes
from ..acceleration.memory_layout import in_fastest_layout
from ..perturbation.references import start_of_path
from ..registry import Range, method
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import input_gradient


@method(
    "Guided integrated gradients",
    family="gradient",
    paper="https://arxiv.org/abs/2106.09788",
    pixels=True,
    reads="The highlighted pixels contribute most to {score}. The contributions are relative to the baseline, along a "
    "path that avoids steep places.",
    caution="The path depends on the model, on the image and even on rounding, so two heatmaps are hard to compare.",
)
def guided_integrated_gradients(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    steps: Annotated[int, Range(1, 500), "Points on the path"] = 200,
    fraction: Annotated[
        float, Range(0.01, 1, 0.01), "Share of the values that move in a step: those with the smallest gradients"
    ] = 0.25,
    distance: Annotated[
        float, Range(0, 1, 0.01), "Largest distance from the straight path; 0 gives integrated gradients"
    ] = 0.02,
    baseline: Annotated[
        Literal["mean color", "darkest", "brightest"],
        "The empty image at the start: the mean color of the training images, or this image's darkest or brightest",
    ] = "mean color",
    progress: Progress | None = None,
) -> Tensor:
    """Contribution of each pixel to the score, along a path on which the flattest pixels move first.

    map = sum_k dS/dx(p[k]) * (p[k+1] - p[k]), signed, (B, 3, H, W);  p[0]: the baseline, p[N] = x

    In step k the values with the smallest |dS/dx| move towards x until the L1 distance to x is (1 - k/N) of the first
    one; none leaves the interval of k/N -+ distance of its own way.

    Avoids the noise that integrated gradients collect where the straight path is steep; its passes come one by one.
    """
    x = x.detach()
    start = start_of_path(net, x, baseline)
    points, result = start.clone(), torch.zeros_like(x)
    with many_passes(net, x, fusion="gradient"):
        for step in range(1, steps + 1):
            gradient = input_gradient(net, in_fastest_layout(points), score)
            ways = zip(points, start, x, gradient, strict=True)
            after = torch.stack([moved(*way, step / steps, fraction, distance) for way in ways])
            result += gradient * (after - points)
            points = after
            if progress:
                progress(step, steps)
    return result


def moved(
    point: Tensor, first: Tensor, last: Tensor, gradient: Tensor, place: float, fraction: float, distance: float
) -> Tensor:
    """Return the next point of the path, at the share `place` of the way from `first` to `last` in L1 distance."""
    way, lowest, highest = last - first, max(place - distance, 0.0), min(place + distance, 1.0)
    low, high = first + lowest * way, first + highest * way
    target = float(way.double().abs().sum()) * (1 - place)
    sizes = gradient.abs()
    while True:
        behind = (way != 0) & ((point - first) / way.where(way != 0, 1) < lowest)
        point = low.where(behind, point)
        left = float((last - point).double().abs().sum())
        if left <= target + 1e-9 * max(1.0, target):
            return point
        sizes = sizes.where(point != high, torch.inf)
        threshold = sizes.flatten().kthvalue(1 + int(fraction * (sizes.numel() - 1))).values
        chosen = (sizes <= threshold) & (sizes != torch.inf)
        if not chosen.any():  # by rounding
            return point
        reach = float(((high - point).double().abs() * chosen).sum())
        if left - target <= reach:
            return (point + (left - target) / reach * (high - point)).where(chosen, point)
        point = high.where(chosen, point)
