"""Generate the Mulcross set: a normal cloud, and a tenth of the rows in two dense clusters outside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

# From the paper's table: rows, features, share of outliers, clusters of outliers.
N_ROWS, N_FEATURES, OUTLIER_SHARE, N_CLUSTERS = 262_144, 4, 0.1, 2

# A cluster's distance from the centre of the cloud: twice the radius that contains 99 % of the cloud.
CLUSTER_DISTANCE = 2 * float(np.sqrt(chi2.ppf(0.99, df=N_FEATURES)))


def make_rows(seed: int, n_rows: int = N_ROWS) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Generate the set.

    Parameters
    ----------
    seed
        0 or more. The same seed and version of NumPy give the same rows.
    n_rows
        Number of rows; 262,144 in the paper.

    Returns
    -------
    Rows, shape ``(n_rows, 4)``, unitless, in random order; and which of them are outliers, shape ``(n_rows,)``.

    References
    ----------
    D. M. Rocke and D. L. Woodruff, "Identification of Outliers in Multivariate Data", Journal of the American
    Statistical Association 91(435), 1996: the generator that gave the set its name.

    Examples
    --------
    >>> rows, is_outlier = make_rows(seed=1, n_rows=1000)
    >>> rows.shape, int(is_outlier.sum())
    ((1000, 4), 100)
    >>> rows[is_outlier].mean(axis=0).round().tolist()
    [4.0, 4.0, 0.0, 0.0]
    """
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((n_rows, N_FEATURES))
    n_outliers = round(OUTLIER_SHARE * n_rows)
    # The k-th cluster is on the k-th axis.
    rows[np.arange(n_outliers), np.arange(n_outliers) % N_CLUSTERS] += CLUSTER_DISTANCE
    order = generator.permutation(n_rows)
    return rows[order], order < n_outliers
