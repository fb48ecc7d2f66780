"""Population stability index (PSI), and the threshold that belongs to the sizes of the samples.

Notes
-----
While nothing changes, the index is about ``(1 / n + 1 / m)`` times a chi-squared variable with one degree of freedom
less than there are bins. So a constant threshold means nothing: with ten bins, about 83 % of the pairs of unchanged
samples of 100 rows are above 0.1, and of 1,000 rows none.

References
----------
B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
Validation 14, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

# Usual in credit risk, where the index comes from: fine enough to see where a distribution has moved.
MAX_BINS = 10

# Cochran's rule: where fewer rows are expected, a bin says more about chance than about the data.
_ROWS_EXPECTED_IN_A_BIN = 5

# A share of 0 has no logarithm. Half a row of the smaller sample, for both samples alike, so that a bin that is empty
# in both adds nothing.
_LEAST_ROWS = 0.5

# The threshold is then known within about 3 %.
_DEALS = 2000

# The same samples have the same threshold.
_SEED = 0


# Indices beyond the threshold are that rare while nothing changes.
FALSE_SHARE = 0.05


@dataclass(frozen=True)
class Stability:
    """How the shares of the bins of one feature have moved.

    Parameters
    ----------
    bins
        Where one bin ends and the next begins, ascending; see :func:`find_bins`.
    reference, current
        Rows in each bin, shape ``(n_bins,)``.
    index
        The population stability index, at least 0.
    threshold
        What one unchanged feature in twenty exceeds at these numbers of rows.
    """

    bins: NDArray[np.float64]
    reference: Counts
    current: Counts
    index: float
    threshold: float

    @classmethod
    def of(cls, reference: NDArray[np.float64], current: NDArray[np.float64]) -> Stability:
        """Compare values, each of shape ``(n_rows,)`` and finite."""
        bins = find_bins(reference, min(len(reference), len(current)))
        before, after = count_by_bin(reference, bins), count_by_bin(current, bins)
        index = float(stability_index(before, after))
        return cls(bins, before, after, index, find_threshold(before, after, FALSE_SHARE))


def find_bins(reference: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Divide the values of the reference into bins of about as many rows each.

    A value that many rows share gets a bin of its own, so that it cannot move a little and stay in its bin.

    Parameters
    ----------
    reference
        Shape ``(n_reference,)``, finite.
    n_rows
        Rows of the smaller sample that will be counted: the fewer, the fewer bins, of ten at most.

    Returns
    -------
    Where one bin ends and the next begins, ascending; a bin holds its lower end. The outer bins have no outer ends.

    Examples
    --------
    >>> find_bins(np.arange(100.0), n_rows=20)
    array([24., 49., 74.])
    >>> find_bins(np.full(100, 7.0), n_rows=100).round(3)
    array([7., 7.])
    """
    n_bins = max(min(MAX_BINS, n_rows // _ROWS_EXPECTED_IN_A_BIN), 2)
    quantiles = np.quantile(reference, np.linspace(0, 1, n_bins + 1), method="inverted_cdf")
    shared = quantiles[1:][np.diff(quantiles) == 0]
    return np.unique(np.concatenate([quantiles[1:-1], shared, np.nextafter(shared, np.inf)]))


def count_by_bin(values: NDArray[np.float64], bins: NDArray[np.float64]) -> Counts:
    """Count values, shape ``(n_values,)``, in each bin that :func:`find_bins` gave; shape ``(n_bins,)``."""
    return np.bincount(bins.searchsorted(values, side="right"), minlength=len(bins) + 1)


def stability_index(reference: Counts, current: Counts) -> NDArray[np.float64]:
    """Say how far the shares of the bins have moved.

    Parameters
    ----------
    reference, current
        Rows in each bin, shape ``(..., n_bins)``; each sample has one row or more.

    Returns
    -------
    Shape ``(...)``, at least 0, without unit: 0 for equal shares, and the larger the farther.

    Examples
    --------
    >>> float(stability_index(np.array([50, 50]), np.array([90, 10])).round(3))
    0.879
    >>> float(stability_index(np.array([50, 50]), np.array([500, 500])))
    0.0
    """
    n_reference, n_current = reference.sum(axis=-1, keepdims=True), current.sum(axis=-1, keepdims=True)
    least = _LEAST_ROWS / np.minimum(n_reference, n_current)
    before, after = np.maximum(reference / n_reference, least), np.maximum(current / n_current, least)
    index: NDArray[np.float64] = ((after - before) * np.log(after / before)).sum(axis=-1)
    return index


def find_threshold(reference: Counts, current: Counts, false_share: float) -> float:
    """Find the index that so large a share of unchanged samples of these sizes exceeds.

    All rows are put together and dealt anew, many times, into two samples of the same sizes: what the index is then is
    chance alone.

    Parameters
    ----------
    reference, current
        Rows in each bin, shape ``(n_bins,)``.
    false_share
        In (0, 1).

    Examples
    --------
    >>> equal = np.full(10, 10)
    >>> find_threshold(equal, equal, 0.05) > 0.3, find_threshold(100 * equal, 100 * equal, 0.05) < 0.004
    (True, True)
    """
    generator = np.random.default_rng(_SEED)
    together = reference + current
    # "marginals" draws bin by bin, which takes the same time for a million rows as for a hundred.
    dealt = generator.multivariate_hypergeometric(together, current.sum(), size=_DEALS, method="marginals")
    return float(np.quantile(stability_index(together - dealt, dealt), 1 - false_share, method="higher"))
