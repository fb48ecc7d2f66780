"""The Isolation Forest: computes anomaly scores and labels of rows.

Notes
-----
As in scikit-learn, rows are rounded to float32. The path lengths of a row are added tree after tree: an offset that was
learned from training scores is itself a score, so a difference in the last bit would change the label of every row with
that score (docs/decisions/0003-sums-in-tree-order.md).

References
----------
F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest", ICDM 2008: the score is ``2 ** -(E[h(x)] / c(n))``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.model.forest_arrays import ForestArrays
from app.model.kernels import CompiledKernel, KernelNotBuilt, NumpyKernel

INLIER, OUTLIER = 1, -1

# Indexed by whether a score is below the offset; `take` needs half the time of np.where.
_LABELS = np.array([INLIER, OUTLIER], np.int64)

log = logging.getLogger(__name__)


class Kernel(Protocol):
    """Sums path lengths."""

    name: str

    def sum_path_lengths(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum the path lengths of each row, from the first tree to the last; shape ``(n_rows,)``."""
        ...

    def sum_path_lengths_of_row(self, row: Sequence[float]) -> float:
        """Sum the path lengths of one row."""
        ...


class Forest:
    """An Isolation Forest with the scores and labels of scikit-learn, without scikit-learn.

    Scoring takes time proportional to rows x trees x depth.

    Parameters
    ----------
    arrays
        The trees; they are checked, so that no row can leave them or walk in a circle.
    kernel
        Sums path lengths; by default the compiled kernel, or NumPy if there is none.

    Raises
    ------
    InvalidBundle
        If the arrays do not describe a forest.

    Examples
    --------
    One tree that separates numbers up to 0.5 from larger ones; the left leaf is deeper and so more normal.

    >>> one_split = ForestArrays(
    ...     feature=np.array([0, 0, 0], np.int32),
    ...     threshold=np.array([0.5, 0, 0]),
    ...     children=np.array([[1, 2], [1, 1], [2, 2]], np.int32),
    ...     path_length=np.array([0, 2.0, 1.0]),
    ...     roots=np.array([0], np.int32),
    ...     path_length_scale=np.float64(2),
    ...     offset=np.float64(-0.6),
    ...     n_features=np.int32(1),
    ... )
    >>> forest = Forest(one_split)
    >>> scores = forest.score([[0.5], [0.6]])
    >>> scores
    array([-0.5       , -0.70710678])
    >>> forest.label(scores)
    array([ 1, -1])
    """

    def __init__(self, arrays: ForestArrays, kernel: type[Kernel] | None = None) -> None:
        arrays.check()
        self.arrays = arrays
        self.offset = float(arrays.offset)
        self.n_features = int(arrays.n_features)
        self._scale = float(arrays.path_length_scale)
        self._kernel = kernel(arrays) if kernel else _fastest_kernel(arrays)  # type: ignore[call-arg]

    @property
    def kernel(self) -> str:
        """The kernel in use: ``compiled`` or ``numpy``."""
        return self._kernel.name

    def score(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Compute scores like scikit-learn's ``IsolationForest.score_samples``.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``, finite, within float32.

        Returns
        -------
        Shape ``(n_rows,)``, each in [-1, 0]: lower is more abnormal.
        """
        path_lengths = self._kernel.sum_path_lengths(np.asarray(rows, dtype=np.float32))
        if not self._scale:
            # Trees grown from one row carry no information: scikit-learn then gives every row the score -0.5.
            return np.full(len(path_lengths), -0.5)
        # The same NumPy operations as in scikit-learn: Python's power function may round differently.
        path_lengths /= -self._scale
        scores: NDArray[np.float64] = -np.power(2, path_lengths)
        return scores

    def score_row(self, row: Sequence[float]) -> float:
        """Compute the score of one row: the same number as ``score``, several times faster.

        Parameters
        ----------
        row
            One number per feature, finite, within float32.
        """
        path_length = self._kernel.sum_path_lengths_of_row(row)
        if not self._scale:
            return -0.5
        return -float(np.power(2.0, path_length / -self._scale))

    def label_row(self, score: float) -> int:
        """Return the label of one row: 1 inlier, -1 outlier."""
        return OUTLIER if score < self.offset else INLIER

    def label(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return labels like scikit-learn's ``predict``: 1 inlier, -1 outlier; same shape as the scores."""
        # scikit-learn computes `scores - offset < 0`, which is the same for finite numbers.
        return _LABELS.take(scores < self.offset)


def _fastest_kernel(arrays: ForestArrays) -> Kernel:
    """Return the compiled kernel, or the NumPy one if there is none."""
    try:
        return CompiledKernel(arrays)
    except KernelNotBuilt as reason:
        _warn_once(str(reason))
        return NumpyKernel(arrays)


@cache
def _warn_once(reason: str) -> None:
    """Log why NumPy is used, once per process."""
    log.warning("scores are computed by NumPy, more slowly: %s", reason)
