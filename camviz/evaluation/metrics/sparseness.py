"""Sparseness (Chalasani et al., ICML 2020)."""

import torch
from torch import Tensor

from ..registry import metric


@metric(
    "Sparseness",
    better="high",
    cost=0,
    paper="https://arxiv.org/abs/1810.06583",
    limitation="It never looks at the network: a single pixel chosen by chance is the sparsest map of all.",
)
def sparseness(heat: Tensor) -> float:
    """How few pixels hold the map's mass: 0 all the same, near 1 only a few (the Gini index).

    G = sum_k (2k - N - 1) v[k] / (N sum_k v[k]), v = |heat| in rising order, k = 1..N

    heat (H, W). A map that is zero everywhere has the sparseness 0.
    """
    values = heat.detach().abs().flatten().cpu().double().sort().values
    count, total = len(values), float(values.sum())
    if total == 0:
        return 0.0
    place = 2 * torch.arange(1, count + 1, dtype=values.dtype, device=values.device) - count - 1
    return float(place @ values) / (count * total)
