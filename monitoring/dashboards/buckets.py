"""PromQL for the number of observations in one histogram bucket, from Prometheus's cumulative buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Bucket:
    """A range of values of a histogram.

    Parameters
    ----------
    above
        Lower bound, exclusive; None if there is none.
    up_to
        Upper bound, inclusive; None if there is none.

    Examples
    --------
    >>> Bucket(0.8, 0.9).name
    '0.8 to 0.9'
    >>> Bucket(None, 0.1).name
    'up to 0.1'
    """

    above: float | None
    up_to: float | None

    @property
    def name(self) -> str:
        """Its name in legends."""
        if self.above is None:
            return f"up to {self.up_to:g}"
        return f"above {self.above:g}" if self.up_to is None else f"{self.above:g} to {self.up_to:g}"

    def expression(self, function: str, histogram: str, selector: str, window: str) -> str:
        """Return PromQL for the rate or number of observations in this bucket.

        Parameters
        ----------
        function
            ``rate`` or ``increase``.
        histogram, selector
            Metric and label matchers.
        window
            The range, such as ``5m``.

        Examples
        --------
        >>> Bucket(None, 0.1).expression("rate", "a", 'job="b"', "5m")
        'sum(rate(a_bucket{job="b", le="0.1"}[5m]))'
        >>> Bucket(0.9, 1.0).expression("rate", "a", 'job="b"', "5m")
        'sum(rate(a_bucket{job="b", le="1.0"}[5m])) - sum(rate(a_bucket{job="b", le="0.9"}[5m]))'
        """

        def cumulative(bound: str) -> str:
            return f'sum({function}({histogram}_bucket{{{selector}, le="{bound}"}}[{window}]))'

        # The service writes bounds as floats, whole numbers too.
        up_to = cumulative("+Inf" if self.up_to is None else repr(float(self.up_to)))
        return up_to if self.above is None else f"{up_to} - {cumulative(repr(float(self.above)))}"


def consecutive_buckets(bounds: Sequence[float]) -> list[Bucket]:
    """Return one bucket between each two consecutive bounds, without the open buckets at both ends."""
    return [Bucket(above, up_to) for above, up_to in pairwise(bounds)]
