"""Relative input stability (Agarwal et al., 2022)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ...errors import MetricError
from ...registry import Range
from ...runtime.batching import batches
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...tape import forward
from ..registry import Explain, metric

SMALLEST = 1e-6  # what an exact zero counts as, in a divisor


@metric(
    "Relative input stability",
    better="low",
    cost=11,
    paper="https://arxiv.org/abs/2203.06877",
    limitation="Values of the map near zero dominate it, as each change is relative to the value itself: compare it "
    "only between maps of one kind.",
)
def relative_input_stability(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    samples: Annotated[int, Range(1, 100), "Number of slightly perturbed images"] = 10,
    radius: Annotated[float, Range(0.001, 1, 0.001), "Largest change of a pixel, in normalized units"] = 0.02,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random perturbations"] = 0,
    progress: Progress | None = None,
) -> float:
    """Largest change of the map in relation to the change of the image, both relative: low is good.

    max over e of || (map(x) - map(x + e)) / map(x) || / || e / x ||, e uniform in -radius..radius for every value

    Divisions are by value; an exact 0 counts as 1e-6. Images whose predicted class changes are left out.
    x (1, 3, H, W); explain(net, x) gives the map, batched. Raises CamvizError if every image is left out.
    """
    rng = Rng(seed)
    first, largest = explain(net, x), None
    with torch.no_grad():
        predicted = forward(net, x).argmax(dim=1)
    for _ in batches(samples, 1, progress):
        near = x + (rng.uniform(*x.shape, dtype=torch.float64) * 2 - 1).to(x) * radius
        with torch.no_grad():
            if forward(net, near).argmax(dim=1) != predicted:
                continue
        change = float(((first - explain(net, near)) / divisor(first)).norm())
        moved = float(((x - near) / divisor(x)).norm())
        largest = max(largest or 0.0, change / (moved or SMALLEST))
    if largest is None:
        raise MetricError(
            "the predicted class changes for every perturbed image, so there is nothing to compare: take a smaller "
            "radius"
        )
    return largest


def divisor(values: Tensor) -> Tensor:
    """Return the values, with a small one for each exact zero."""
    return values + (values == 0) * SMALLEST
