"""Max-sensitivity (Yeh et al., NeurIPS 2019)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ...errors import MetricError
from ...registry import Range
from ...runtime.batching import batches
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ..registry import Explain, metric


@metric(
    "Max-sensitivity",
    better="low",
    cost=11,
    paper="https://arxiv.org/abs/1901.09392",
    limitation="A map that never changes gets a perfect value and says nothing: "
    "a stable map is desirable only where the network itself is stable.",
)
def max_sensitivity(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    samples: Annotated[int, Range(1, 100), "Number of slightly perturbed images"] = 10,
    radius: Annotated[float, Range(0.001, 1, 0.001), "Largest change of a pixel, in normalized units"] = 0.02,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random perturbations"] = 0,
    progress: Progress | None = None,
) -> float:
    """Largest relative change of the map under small random changes of the image: low is good.

    max over e of ||map(x + e) - map(x)|| / ||map(x)||, e uniform in -radius..radius for every pixel and channel

    x (1, 3, H, W); explain(net, x) gives the map, batched. Raises CamvizError if the map is zero everywhere.
    """
    rng = Rng(seed)
    first = explain(net, x)
    length = float(first.norm())
    if length == 0:
        raise MetricError("the map is zero everywhere, so its relative change is undefined")
    largest = 0.0
    for _ in batches(samples, 1, progress):
        shift = (rng.uniform(*x.shape, dtype=torch.float64) * 2 - 1).to(x) * radius
        largest = max(largest, float((explain(net, x + shift) - first).norm()) / length)
    return largest
