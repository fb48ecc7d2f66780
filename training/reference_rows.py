"""Which training rows live traffic is compared with, and how many more the drift detectors need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# More would slow each comparison down, fewer would blur it.
REFERENCE_ROWS = 2000

# With fewer rows beside the reference, what is calibrated on one draw of them is far off on another.
_CALIBRATION_ROWS = 2000

FEWEST_ROWS_FOR_DRIFT = REFERENCE_ROWS + _CALIBRATION_ROWS

# Which rows are the reference depends on the data alone: two forests of the same data are compared alike.
_SEED = 0


def split_reference(n_rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the training rows that are the reference, and the others; both ascending.

    Examples
    --------
    >>> reference, others = split_reference(5000)
    >>> len(reference), len(others), len(np.union1d(reference, others))
    (2000, 3000, 5000)
    >>> split_reference(3)
    (array([0, 1, 2]), array([], dtype=int64))
    """
    generator = np.random.default_rng(_SEED)
    reference = np.sort(generator.choice(n_rows, size=min(REFERENCE_ROWS, n_rows), replace=False))
    return reference, np.setdiff1d(np.arange(n_rows), reference)
