"""Max-sensitivity (Yeh et al., NeurIPS 2019)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ...errors import CamvizError
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
    limitation="A map that never changes is perfectly steady and knows nothing: "
    "steadiness is wanted only where the network is steady itself.",
)
def max_sensitivity(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    samples: Annotated[int, Range(1, 100), "How many slightly changed pictures are explained"] = 10,
    radius: Annotated[float, Range(0.001, 1, 0.001), "By how much a pixel changes at most, normalized"] = 0.02,
    seed: Annotated[int, Range(0, 2**31 - 1), "Which changes: the same seed gives the same number"] = 0,
    progress: Progress | None = None,
) -> float:
    """How much the map changes, at most, when the picture changes hardly at all: low is good.

    max over e of ||map(x + e) - map(x)|| / ||map(x)||, e uniform in -radius..radius for every pixel and channel

    x (1, 3, H, W); explain(net, x) gives the map, batched. Raises CamvizError where the map is all zero.
    """
    rng = Rng(seed)
    first = explain(net, x)
    length = float(first.norm())
    if length == 0:
        raise CamvizError("the map is empty, so its change is no share of anything")
    largest = 0.0
    for _ in batches(samples, 1, progress):
        shift = (rng.uniform(*x.shape, dtype=torch.float64) * 2 - 1).to(x) * radius
        largest = max(largest, float((explain(net, x + shift) - first).norm()) / length)
    return largest
