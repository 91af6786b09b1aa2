"""Sparseness (Chalasani et al., ICML 2020)."""

import torch
from torch import Tensor

from ..registry import metric


@metric(
    "Sparseness",
    better="high",
    cost=0,
    paper="https://arxiv.org/abs/1810.06583",
    limitation="It does not look at the network: a map of one random pixel gets the best value.",
)
def sparseness(heatmap: Tensor) -> float:
    """How concentrated the map is (Gini index): 0 if all pixels are equal, near 1 if a few hold everything.

    G = sum_k (2k - N - 1) v[k] / (N sum_k v[k]), v = |heatmap| in ascending order, k = 1..N

    heatmap (H, W). The sparseness of a map that is zero everywhere is 0.
    """
    values = heatmap.detach().abs().flatten().cpu().double().sort().values
    count, total = len(values), float(values.sum())
    if total == 0:
        return 0.0
    place = 2 * torch.arange(1, count + 1, dtype=values.dtype, device=values.device) - count - 1
    return float(place @ values) / (count * total)
