"""Which method is better, and how sure is that? Bootstrap intervals over pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CamvizError
from .registry import Better

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean over pictures, and between what bounds 95 of 100 such samples of pictures would put it."""

    mean: float
    low: float
    high: float
    count: int


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean with its 95 % bootstrap interval: the middle of 2000 means of as many values drawn with repetition."""
    if not values:
        raise CamvizError("a mean needs at least one value")
    means = _means(np.asarray(values, np.float64), seed)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(np.mean(values)), float(low), float(high), len(values))


def better_than(values: Sequence[float], others: Sequence[float], better: Better, seed: int = 0) -> float:
    """In what share of bootstrap samples the first of two methods has the better mean, on the same pictures.

    0.5 where they are the same; values and others belong together picture by picture.
    """
    if len(values) != len(others) or not values:
        raise CamvizError(
            "both need one value for each picture; got {count} and {others}", count=len(values), others=len(others)
        )
    gain = _means(np.asarray(values, np.float64) - np.asarray(others, np.float64), seed) * (
        1 if better == "high" else -1
    )
    return float((gain > 0).mean() + (gain == 0).mean() / 2)


def _means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    chosen = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    means: NDArray[np.float64] = values[chosen].mean(axis=1)
    return means
