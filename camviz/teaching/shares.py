"""The share of right answers in a class with an exact interval, and the difference of two shares."""

from dataclasses import dataclass

from scipy.stats import binomtest, fisher_exact  # type: ignore[import-untyped]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """`right` of `total` answers, total > 0, and the exact (Clopper-Pearson) interval of the share, `low` to `high`."""

    right: int
    total: int
    low: float
    high: float

    @classmethod
    def of(cls, right: int, total: int) -> "Share | None":
        """Return the share; None without answers."""
        if total == 0:
            return None
        interval = binomtest(right, total).proportion_ci(CONFIDENCE, method="exact")
        return cls(right, total, float(interval.low), float(interval.high))

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.right / self.total


@dataclass(frozen=True)
class Difference:
    """The share of one group minus that of another, and the p-value of Fisher's exact test (two-sided)."""

    value: float
    p_value: float

    @classmethod
    def of(cls, first: Share, second: Share) -> "Difference":
        """Return the difference of two shares."""
        table = [[one.right, one.total - one.right] for one in (first, second)]
        return cls(first.value - second.value, float(fisher_exact(table).pvalue))
