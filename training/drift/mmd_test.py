"""Test whether two samples of rows differ as a whole: maximum mean discrepancy (MMD) with a permutation test.

References
----------
A. Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research 13, 2012. B. Phipson and G. Smyth,
"Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular Biology 9, 2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from app.drift.mmd import RobustScaling
from training.drift.calibrate import find_bandwidth

# Per sample. Every row is compared with every other, which takes a second and 100 MB; if one of two features moved by a
# fifth of its standard deviation, the test is nearly always significant.
MAX_ROWS = 1000

# The smallest p-value is then 0.001.
N_PERMUTATIONS = 999

# Discrepancies that differ by less are equal but for rounding; the maximum is 2.
_ROUNDING = 1e-12

# The same samples give the same p-value.
_SEED = 0


@dataclass(frozen=True)
class KernelComparison:
    """The result of comparing whole rows.

    Parameters
    ----------
    discrepancy
        The squared maximum mean discrepancy, in [0, 2]: the larger, the farther apart.
    by_chance
        Average discrepancy over random permutations of the rows.
    p_value
        Share of permutations with at least the same discrepancy, in (0, 1].
    n_reference, n_current
        Number of compared rows.
    """

    discrepancy: float
    by_chance: float
    p_value: float
    n_reference: int
    n_current: int

    @property
    def effect(self) -> float:
        """The discrepancy beyond chance, as a square root: 0 for no difference, at most 1.41."""
        return float(np.sqrt(max(self.discrepancy - self.by_chance, 0)))


def compare_rows(reference: NDArray[np.float64], current: NDArray[np.float64]) -> KernelComparison:
    """Compare two samples of rows as a whole, with all features together.

    The kernel is that of the service's drift detectors. Scale and bandwidth are computed from both samples together,
    because a permutation test must treat them alike.

    Parameters
    ----------
    reference, current
        Shape ``(n_rows, n_features)``, finite, within float32. Of more than 1,000 rows, 1,000 are drawn.

    Examples
    --------
    >>> rows = np.random.default_rng(1).normal(size=(200, 2))
    >>> compare_rows(rows[:100], rows[100:]).p_value > 0.05, compare_rows(rows[:100], rows[100:] + 1).p_value
    (True, 0.001)
    """
    generator = np.random.default_rng(_SEED)
    samples = [_draw(rows, generator) for rows in (reference, current)]
    n_reference, n_current = map(len, samples)
    pooled = np.concatenate(samples)
    points = RobustScaling.of(pooled).apply(pooled) / find_bandwidth(pooled)
    similarities = np.exp(cdist(points, points, "sqeuclidean") / -2)
    # The discrepancy is the mean similarity within both samples, minus twice that between them.
    weights = np.repeat([1 / n_reference, -1 / n_current], [n_reference, n_current])
    discrepancy = float(weights @ similarities @ weights)
    shuffled = generator.permuted(np.tile(weights, (N_PERMUTATIONS, 1)), axis=1).T
    permuted = ((similarities @ shuffled) * shuffled).sum(axis=0)
    n_as_far = int((permuted >= discrepancy - _ROUNDING).sum())
    p_value = (1 + n_as_far) / (1 + N_PERMUTATIONS)
    return KernelComparison(discrepancy, float(permuted.mean()), p_value, n_reference, n_current)


def _draw(rows: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw at most ``MAX_ROWS`` rows."""
    return rows if len(rows) <= MAX_ROWS else rows[generator.choice(len(rows), MAX_ROWS, replace=False)]
