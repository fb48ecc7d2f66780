"""An interval for a share that was counted."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson_interval(hits: int, n_labels: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bound the share behind a count by the score interval, which stays sensible near 0 and 1 and for few labels.

    Parameters
    ----------
    hits
        How many of the labels are hits, in [0, n_labels].
    n_labels
        At least 1.
    confidence
        In (0, 1).

    Returns
    -------
    The ends, in [0, 1]. The share of the labels lies between them.

    Raises
    ------
    ValueError
        If there are no labels, or more hits than labels.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Examples
    --------
    >>> [round(end, 3) for end in wilson_interval(9, 10)]
    [0.596, 0.982]
    >>> [round(end, 3) for end in wilson_interval(10, 10)]
    [0.722, 1.0]
    """
    if not 0 <= hits <= n_labels or n_labels < 1:
        raise ValueError(f"{hits} hits of {n_labels} labels are no share; pass at least one label, and no more hits.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, pull = hits / n_labels, z * z / n_labels
    middle = (share + pull / 2) / (1 + pull)
    reach = sqrt(pull * (share * (1 - share) + pull / 4)) / (1 + pull)
    # At the ends the formula gives 0 and 1, but for rounding.
    low = 0.0 if hits == 0 else middle - reach
    high = 1.0 if hits == n_labels else middle + reach
    return low, high
