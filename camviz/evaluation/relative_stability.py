"""Relative stability (Agarwal et al., 2022): the change of a map under perturbations, relative to another change."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import MetricError
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..runtime.rng import Rng
from ..tape import forward
from .registry import Explain

SMALLEST = 1e-6  # replaces an exact zero in a divisor

# Returns the divisor for a perturbed image, the class scores of the image and those of the perturbed image.
Change = Callable[[Tensor, Tensor, Tensor], float]


def relative_stability(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    change: Change,
    samples: int,
    radius: float,
    seed: int,
    progress: Progress | None,
) -> float:
    """Return the largest || (map(x) - map(x + e)) / map(x) || / change(x + e) of random e.

    e is uniform in -radius..radius for every value. Images whose predicted class changes are left out; raises
    CamvizError if these are all.
    """
    rng = Rng(seed)
    first, largest = explain(net, x), None
    with torch.no_grad():
        scores = forward(net, x)
    for _ in batches(samples, 1, progress):
        near = x + (rng.uniform(*x.shape, dtype=torch.float64) * 2 - 1).to(x) * radius
        with torch.no_grad():
            near_scores = forward(net, near)
        if near_scores.argmax(dim=1) != scores.argmax(dim=1):
            continue
        ratio = relative_change(first, explain(net, near)) / (change(near, scores, near_scores) or SMALLEST)
        largest = max(largest or 0.0, ratio)
    if largest is None:
        raise MetricError(
            "the predicted class changes for every perturbed image, so there is nothing to compare: use a smaller "
            "radius"
        )
    return largest


def relative_change(before: Tensor, after: Tensor) -> float:
    """Return || (before - after) / before ||, with a small number for each exact 0 of the divisor."""
    return float(((before - after) / (before + (before == 0) * SMALLEST)).norm())
