"""Do two maps mark the same places? Spearman's rank correlation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

from ..errors import CamvizError
from ..render import kind, upsample

Array = NDArray[np.floating[Any]]


def rank_correlation(a: Array, b: Array) -> float:
    """How far two maps of one shape put their pixels in the same order: 1 the same, 0 unrelated, -1 reversed.

    Spearman's rho = Pearson's correlation of the ranks; equal values share their average rank. A
    constant map orders nothing: its correlation is undefined, and given as 0.
    """
    if a.shape != b.shape:
        raise CamvizError(
            "two maps must have one shape to be compared; got {shape} and {other}", shape=a.shape, other=b.shape
        )
    return float(np.clip(_ranks(a) @ _ranks(b), -1, 1))


def pairwise_rank_correlation(maps: Sequence[Array], size: tuple[int, int]) -> NDArray[np.float64]:
    """The rank correlation of every two maps, (n, n), after bringing them bilinearly to one size (H, W).

    A map is (h, w), taken as it is, or (3, H, W), of which the sum over channels of |g| is taken. A
    coarse map becomes smooth, so values near 1 between two coarse maps say little about details.
    """
    if not maps:
        return np.zeros((0, 0))
    ranks = np.stack([_ranks(_resize(values, size)) for values in maps])
    return (ranks @ ranks.T).clip(-1, 1)


def _resize(values: Array, size: tuple[int, int]) -> Array:
    flat = np.abs(values).sum(axis=0) if kind(values) == "pixel" else values
    # Upsampling a constant leaves differences in the last bit, which would be ranked like any others.
    return np.zeros(size) if flat.min() == flat.max() else upsample(flat, size)


def _ranks(values: Array) -> NDArray[np.float64]:
    """The ranks, centered and of length 1, so that a dot product is a correlation; zeros for a constant."""
    if not np.isfinite(values).all():
        raise CamvizError("a map holds values that are not finite numbers, so it cannot be ranked")
    ranks: NDArray[np.float64] = rankdata(values.ravel())
    ranks -= ranks.mean()
    length = np.linalg.norm(ranks)
    return ranks / length if length else ranks
