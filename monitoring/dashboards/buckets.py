"""Rows of a histogram by bucket: those between two limits, where Prometheus counts all below each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Bucket:
    """The values of a histogram between two limits.

    Parameters
    ----------
    above
        The lower limit, which is not within; None if there is none.
    up_to
        The upper limit, which is; None if there is none.

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
        """What a reader calls it."""
        if self.above is None:
            return f"up to {self.up_to:g}"
        return f"above {self.above:g}" if self.up_to is None else f"{self.above:g} to {self.up_to:g}"

    def count(self, function: str, histogram: str, selector: str, window: str) -> str:
        """Ask how many values came into it.

        Parameters
        ----------
        function
            ``rate`` or ``increase``.
        histogram, selector
            Which one, and of whom.
        window
            The time that is looked at, as PromQL writes it.

        Examples
        --------
        >>> Bucket(None, 0.1).count("rate", "a", 'job="b"', "5m")
        'sum(rate(a_bucket{job="b", le="0.1"}[5m]))'
        >>> Bucket(0.9, 1.0).count("rate", "a", 'job="b"', "5m")
        'sum(rate(a_bucket{job="b", le="1.0"}[5m])) - sum(rate(a_bucket{job="b", le="0.9"}[5m]))'
        """

        def below(limit: str) -> str:
            return f'sum({function}({histogram}_bucket{{{selector}, le="{limit}"}}[{window}]))'

        # Limits are written as the service writes them: with a point, even if they are whole.
        below_upper = below("+Inf" if self.up_to is None else repr(float(self.up_to)))
        return below_upper if self.above is None else f"{below_upper} - {below(repr(float(self.above)))}"


def between(limits: Sequence[float]) -> list[Bucket]:
    """Make a bucket between each two limits, in their order, without those beyond the first and the last."""
    return [Bucket(above, up_to) for above, up_to in pairwise(limits)]
