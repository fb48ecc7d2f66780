"""The share of outliers among answers: it needs no labels, and shows a group that is flagged far more than others."""

from __future__ import annotations

from dataclasses import dataclass

from app.quality.wilson import wilson_interval


@dataclass(frozen=True)
class OutlierRatio:
    """Outliers among answers.

    Parameters
    ----------
    n_outliers, n_rows
        Exact counts.

    Examples
    --------
    >>> ratio = OutlierRatio(3, 100)
    >>> ratio.value, [round(end, 3) for end in ratio.interval]
    (0.03, [0.01, 0.085])
    >>> OutlierRatio(0, 0).value is None
    True
    """

    n_outliers: int
    n_rows: int

    @property
    def value(self) -> float | None:
        """The share, in [0, 1]; None without answers."""
        return self.n_outliers / self.n_rows if self.n_rows else None

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """The ends of the 95 % interval of the share that these answers are a sample of; None without answers."""
        return wilson_interval(self.n_outliers, self.n_rows) if self.n_rows else (None, None)

    def __add__(self, other: OutlierRatio) -> OutlierRatio:
        """Take two groups of answers together."""
        return OutlierRatio(self.n_outliers + other.n_outliers, self.n_rows + other.n_rows)
