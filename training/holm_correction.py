"""Holm's correction: p-values of several tests, raised so that all tests together rarely find what is not there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def correct_by_holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raise p-values so that comparing each with a level keeps the chance of any false finding below that level.

    It holds however the tests depend on each other.

    Parameters
    ----------
    p_values
        Shape ``(n_tests,)``, each in [0, 1].

    Returns
    -------
    Shape ``(n_tests,)``, each in [0, 1] and at least as large as given.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> correct_by_holm(np.array([0.04, 0.01, 0.03]))
    array([0.06, 0.03, 0.06])
    """
    order = np.argsort(p_values, kind="stable")
    # The smallest is compared as one of all tests, the next one as one of those that are left, and so on.
    raised = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(raised, 1)
    return corrected
