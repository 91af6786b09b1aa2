"""Bootstrap confidence intervals of means over images, and paired comparisons of two methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from ..errors import CamvizError
from .registry import Better

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """The mean over `count` images with the bounds of its 95% bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Return the mean of the values with its 95% percentile bootstrap interval, from 2000 resamples.

    The interval of a single value has no width. Raises CamvizError if there are no values.
    """
    if not values:
        raise CamvizError("a mean needs at least one value; got none")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, mean, mean, 1)
    low, high = _bootstrap(values, seed).confidence_interval
    return Interval(mean, float(low), float(high), len(values))


def bootstrap_win_rate(values: Sequence[float], others: Sequence[float], better: Better, seed: int = 0) -> float:
    """Return the share of bootstrap resamples of the images in which the first method has the better mean.

    `values` and `others` have one value for each image, in the same order. Equal means count as one half.
    Raises CamvizError if the lengths differ or there are no values.
    """
    if len(values) != len(others) or not values:
        raise CamvizError(
            "both methods need one value for each image; got {count} and {others}",
            count=len(values),
            others=len(others),
        )
    differences = np.subtract(values, others, dtype=np.float64)
    means: NDArray[np.float64] = differences
    if len(differences) > 1:
        means = _bootstrap(differences, seed).bootstrap_distribution
    gains = means if better == "high" else -means
    return float((gains > 0).mean() + (gains == 0).mean() / 2)


def _bootstrap(values: Sequence[float] | NDArray[np.float64], seed: int) -> Any:
    return stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    )
