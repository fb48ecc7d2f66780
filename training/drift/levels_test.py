"""Test whether the levels of a category are distributed alike in two files: total variation with a permutation test.

References
----------
B. Phipson and G. Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular
Biology 9, 2010.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.drift.ks_test import DistanceTest
from training.drift.psi import FALSE_SHARE, Stability, find_threshold, stability_index

# So that the smallest p-value is significant after a correction for many columns, and takes half a second at most.
_MIN_PERMUTATIONS, _MAX_PERMUTATIONS, _MAX_DRAWN = 9_999, 99_999, 2_000_000

# As many levels are shown and counted on their own; the rarer ones together.
MAX_SHOWN_LEVELS = 20

# The same files give the same p-value.
_SEED = 0


def count_codes(codes: NDArray[np.float64], n_levels: int) -> NDArray[np.int64]:
    """Count the rows with each level, those with a level that the reference has not, and those without a value.

    Parameters
    ----------
    codes
        Numbers of levels, -1 for another level, NaN for none; shape ``(n_rows,)``.
    n_levels
        How many levels there are.

    Returns
    -------
    Shape ``(n_levels + 2,)``.

    Examples
    --------
    >>> count_codes(np.array([0.0, 1.0, 1.0, -1.0, np.nan]), 2).tolist()
    [1, 2, 1, 1]
    """
    place = np.where(np.isnan(codes), n_levels + 1, np.where(codes < 0, n_levels, codes)).astype(np.int64)
    return np.bincount(place, minlength=n_levels + 2)


def compare_levels(reference: NDArray[np.int64], current: NDArray[np.int64]) -> DistanceTest:
    """Compare how many rows of two samples have each level.

    Parameters
    ----------
    reference, current
        Rows by level, the same levels in both, at least one row each.

    Returns
    -------
    The total variation distance, in [0, 1]: the share of rows that would have to change their level. Its p-value is the
    share of random permutations of all rows with at least this distance, in (0, 1].

    Examples
    --------
    >>> compare_levels(np.array([50, 50]), np.array([50, 50]))
    DistanceTest(distance=0.0, p_value=1.0)
    >>> found = compare_levels(np.array([90, 10]), np.array([50, 50]))
    >>> found.distance, found.p_value < 0.001
    (0.4, True)
    """
    pooled, n_reference, n_current = reference + current, int(reference.sum()), int(current.sum())
    kept = pooled > 0
    pooled, drawn = pooled[kept], current[kept]
    n_permutations = int(np.clip(_MAX_DRAWN // len(pooled), _MIN_PERMUTATIONS, _MAX_PERMUTATIONS))

    def differ(chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        # Whole numbers: distances that are equal must not differ by rounding.
        total: NDArray[np.int64] = np.abs(chosen * n_reference - (pooled - chosen) * n_current).sum(axis=-1)
        return total

    farthest = int(differ(drawn))
    generator = np.random.default_rng(_SEED)
    n_as_far = 0
    # In parts, as ten thousand levels would need a gigabyte.
    part = max(1, _MAX_DRAWN // len(pooled))
    for first in range(0, n_permutations, part):
        size = min(part, n_permutations - first)
        permuted = generator.multivariate_hypergeometric(pooled, n_current, size=size, method="marginals")
        n_as_far += int((differ(permuted) >= farthest).sum())
    return DistanceTest(farthest / (2 * n_reference * n_current), (1 + n_as_far) / (1 + n_permutations))


def compare_stability(reference: NDArray[np.int64], current: NDArray[np.int64]) -> tuple[Stability, list[int]]:
    """Return the population stability index of the most frequent levels, and which these are; the others are one bin.

    Parameters
    ----------
    reference, current
        As of :func:`compare_levels`.
    """
    pooled = reference + current
    shown = [place for place in np.argsort(-pooled, kind="stable").tolist() if pooled[place]][:MAX_SHOWN_LEVELS]
    before, after = (np.append(counts[shown], counts.sum() - counts[shown].sum()) for counts in (reference, current))
    if not before[-1] + after[-1]:
        before, after = before[:-1], after[:-1]
    # With a single level, there is nothing to compare.
    threshold = find_threshold(before, after, FALSE_SHARE)
    edges: NDArray[np.float64] = np.arange(0.5, len(before) - 1)
    return Stability(edges, before, after, float(stability_index(before, after)), threshold), shown
