"""Spearman's rank correlation of maps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

from ..errors import MetricError, NotFiniteError
from ..render import kind, upsample

Array = NDArray[np.floating[Any]]


def rank_correlation(a: Array, b: Array) -> float:
    """Return the rank correlation of two maps of one shape: 1 for the same order, 0 for unrelated orders, -1 reversed.

    Spearman's rho = Pearson's correlation of the ranks; ties share their average rank. The correlation of a constant
    map is undefined; it is returned as 0.
    """
    if a.shape != b.shape:
        raise MetricError(
            "two maps must have the same shape to be compared; got {shape} and {other}", shape=a.shape, other=b.shape
        )
    return float(np.clip(_ranks(a) @ _ranks(b), -1, 1))


def pairwise_rank_correlation(maps: Sequence[Array], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the rank correlation of every two maps, (n, n), after resizing them bilinearly to one size (H, W).

    A map is (h, w), or (3, H, W), of which the sum over channels of |g| is taken. Upsampled coarse maps are smooth,
    so values near 1 between two of them say little about details.
    """
    if not maps:
        return np.zeros((0, 0))
    ranks = np.stack([_ranks(resized_map(values, size)) for values in maps])
    return (ranks @ ranks.T).clip(-1, 1)


def resized_map(values: Array, size: tuple[int, int]) -> Array:
    """Return an attribution as one map of a size (H, W); for (3, h, w), the sum over channels of |g|."""
    flat = np.abs(values).sum(axis=0) if kind(values) == "pixel" else values
    # Upsampling a constant gives differences in the last bit, which must not be ranked.
    return np.zeros(size) if flat.min() == flat.max() else upsample(flat, size)


def _ranks(values: Array) -> NDArray[np.float64]:
    """Return the ranks, centered and of norm 1, so that a dot product is a correlation; zeros for a constant."""
    if not np.isfinite(values).all():
        raise NotFiniteError("a map contains values that are not finite, so it cannot be ranked")
    ranks: NDArray[np.float64] = rankdata(values.ravel())
    ranks -= ranks.mean()
    length = np.linalg.norm(ranks)
    return ranks / length if length else ranks
