"""A figure and the doubt that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, or the reason why there is none.

    Parameters
    ----------
    value
        The figure, in [0, 1], the higher the better except for ``false_negative_rate``; None if labels do not suffice.
    low, high
        The ends of the interval, in [0, 1]; None where ``value`` is.
    n_labels
        How many labels it rests on, or would.
    reason
        Empty, or in words why there is no figure.

    Examples
    --------
    >>> Estimate.unknown("no alarm has a label", n_labels=0)
    Estimate(value=None, low=None, high=None, n_labels=0, reason='not enough labels: no alarm has a label')
    """

    value: float | None
    low: float | None
    high: float | None
    n_labels: int
    reason: str = ""

    @classmethod
    def unknown(cls, reason: str, n_labels: int) -> Estimate:
        """Say why there is no figure."""
        return cls(None, None, None, n_labels, f"not enough labels: {reason}")

    def complement(self) -> Estimate:
        """Turn a share into the share of the rest.

        Examples
        --------
        >>> Estimate(0.75, 0.5, 1.0, n_labels=8).complement()
        Estimate(value=0.25, low=0.0, high=0.5, n_labels=8, reason='')
        """
        if self.value is None or self.low is None or self.high is None:
            return self
        return Estimate(1 - self.value, 1 - self.high, 1 - self.low, self.n_labels, self.reason)
