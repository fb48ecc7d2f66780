"""The population stability index (PSI), with a threshold for the sizes of the samples.

Notes
-----
Without a change, the index is about ``(1 / n + 1 / m)`` times a chi-squared variable with one degree of freedom less
than there are bins. So a constant threshold is meaningless: with ten bins, about 83 % of the pairs of unchanged
samples of 100 rows are above 0.1, but none of 1,000 rows.

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

# Usual in credit risk, where the index comes from: enough to see where a distribution moved.
MAX_BINS = 10

# Cochran's rule: with fewer expected rows, a bin shows chance rather than the data.
_ROWS_EXPECTED_IN_A_BIN = 5

# A share of 0 has no logarithm. It is replaced by half a row of the smaller sample in both samples, so that a bin that
# is empty in both adds nothing.
_MIN_ROWS_IN_A_BIN = 0.5

# The threshold is then accurate to about 3 %.
_N_SPLITS = 2000

# The same samples have the same threshold.
_SEED = 0


# Share of unchanged samples with an index beyond the threshold.
FALSE_SHARE = 0.05


@dataclass(frozen=True)
class Stability:
    """How the shares of the bins of one feature moved.

    Parameters
    ----------
    bins
        Edges between the bins, ascending; see :func:`find_bins`.
    reference, current
        Rows in each bin, shape ``(n_bins,)``.
    index
        The population stability index, at least 0.
    threshold
        Index that one unchanged feature in twenty exceeds at these numbers of rows.
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
    """Divide the values of the reference into bins with about the same number of rows.

    A value that many rows share gets its own bin, so that even a small move leaves the bin.

    Parameters
    ----------
    reference
        Shape ``(n_reference,)``, finite.
    n_rows
        Size of the smaller sample that will be counted: the fewer rows, the fewer bins; at most ten.

    Returns
    -------
    Edges between the bins, ascending; a bin includes its lower edge. The outer bins are unbounded.

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
    """Count values, shape ``(n_values,)``, in each bin of :func:`find_bins`; shape ``(n_bins,)``."""
    return np.bincount(bins.searchsorted(values, side="right"), minlength=len(bins) + 1)


def stability_index(reference: Counts, current: Counts) -> NDArray[np.float64]:
    """Compute the population stability index.

    Parameters
    ----------
    reference, current
        Rows in each bin, shape ``(..., n_bins)``; each sample has at least one row.

    Returns
    -------
    Shape ``(...)``, at least 0, unitless: 0 for equal shares, larger for larger differences.

    Examples
    --------
    >>> float(stability_index(np.array([50, 50]), np.array([90, 10])).round(3))
    0.879
    >>> float(stability_index(np.array([50, 50]), np.array([500, 500])))
    0.0
    """
    n_reference, n_current = reference.sum(axis=-1, keepdims=True), current.sum(axis=-1, keepdims=True)
    min_share = _MIN_ROWS_IN_A_BIN / np.minimum(n_reference, n_current)
    before, after = np.maximum(reference / n_reference, min_share), np.maximum(current / n_current, min_share)
    index: NDArray[np.float64] = ((after - before) * np.log(after / before)).sum(axis=-1)
    return index


def find_threshold(reference: Counts, current: Counts, false_share: float) -> float:
    """Find the index that a given share of unchanged samples of these sizes exceeds.

    All rows are pooled and split at random many times into two samples of the same sizes; the index then differs from 0
    by chance only.

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
    pooled = reference + current
    # "marginals" draws bin by bin, which takes the same time for a million rows as for a hundred.
    drawn = generator.multivariate_hypergeometric(pooled, current.sum(), size=_N_SPLITS, method="marginals")
    return float(np.quantile(stability_index(pooled - drawn, drawn), 1 - false_share, method="higher"))
