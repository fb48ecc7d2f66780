"""The Isolation Forest: computes anomaly scores and labels of rows.

Notes
-----
As in scikit-learn, rows are rounded to float32. The path lengths of a row are added tree after tree, so that sums are
the same on every processor (docs/decisions/0003-sums-in-tree-order.md). Labels compare these sums and not the scores,
because NumPy's power function differs between processors in the last bit, and many rows may have exactly the score of
the threshold (docs/decisions/0018-labels-by-path-lengths.md).

References
----------
F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest", ICDM 2008: the score is ``2 ** -(E[h(x)] / c(n))``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.errors import InvalidBundle
from app.model.encoding import Encoding
from app.model.forest_arrays import ForestArrays
from app.model.kernels import CompiledKernel, KernelNotBuilt, NumpyKernel

INLIER, OUTLIER = 1, -1

# Scores equal scikit-learn's to the last bit on the machine that trained; the power function of another processor may
# round differently, by about 1e-16.
SCORE_TOLERANCE = 1e-12

# Indexed by whether a sum of path lengths is below the threshold; `take` needs half the time of np.where.
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


@dataclass(frozen=True)
class Threshold:
    """The border between inliers and outliers.

    Parameters
    ----------
    score
        scikit-learn's ``offset_``, in [-1, 0]: rows with a lower score are outliers.
    path_length_sum
        The same border for the sum of a row's path lengths over all trees, in edges, at least 0: rows with a smaller
        sum are outliers. Labels are decided by this one.
    """

    score: float
    path_length_sum: float

    @classmethod
    def find(
        cls,
        score: float,
        arrays: ForestArrays,
        sums: NDArray[np.float64] | None = None,
        labels: NDArray[np.int64] | None = None,
    ) -> Threshold:
        """Find the smallest sum of path lengths whose score, computed on this machine, is not below the threshold.

        Parameters
        ----------
        score
            The threshold as a score, in [-1, 0].
        arrays
            The trees.
        sums, labels
            Path-length sums of rows and the labels that they must get, both of shape ``(n_rows,)``. Only rows whose
            score is within rounding of the threshold move it.
        """
        border = _find_smallest_sum(score, arrays)
        if sums is not None and labels is not None:
            is_near = np.abs(to_scores(sums, float(arrays.path_length_scale)) - score) <= SCORE_TOLERANCE
            outliers, inliers = (sums[is_near & (labels == label)] for label in (OUTLIER, INLIER))
            border = max([border, *np.nextafter(outliers, np.inf).tolist()])
            border = min([border, *inliers.tolist()])
        return cls(score, border)

    def check(self, arrays: ForestArrays) -> None:
        """Check that both numbers mean the same border.

        Raises
        ------
        InvalidBundle
            If a number is out of range, or they differ by more than rounding.
        """
        if not -1 <= self.score <= 0:
            raise InvalidBundle(f"The forest's threshold is the score {self.score:g}, which is not in [-1, 0].")
        if not 0 <= self.path_length_sum <= arrays.never_reached():
            raise InvalidBundle(f"The forest's threshold is {self.path_length_sum:g} edges, which no row can have.")
        scale = float(arrays.path_length_scale)
        # Without a scale, all rows have one score, and so either label fits any threshold's score.
        if scale and abs(float(to_scores(np.array([self.path_length_sum]), scale)[0]) - self.score) > SCORE_TOLERANCE:
            raise InvalidBundle(
                f"The forest's threshold of {self.path_length_sum!r} edges is not that of the score {self.score!r}."
            )


class Forest:
    """An Isolation Forest with scikit-learn's scores and labels; it takes time proportional to rows x trees x depth.

    Parameters
    ----------
    arrays
        The trees; they are checked, so that no row can leave them or walk in a circle.
    threshold
        The border between inliers and outliers.
    kernel
        Sums path lengths; by default the compiled kernel, or NumPy if there is none.
    encoding
        Makes the trees' features of the columns of a row; None if these are the features.

    Raises
    ------
    InvalidBundle
        If the arrays do not describe a forest, or the threshold is out of range.

    Examples
    --------
    One tree; its left leaf, for numbers up to 0.5, is deeper and so more normal.

    >>> one_split = ForestArrays(
    ...     feature=np.array([0, 0, 0], np.int32),
    ...     threshold=np.array([0.5, 0, 0]),
    ...     children=np.array([[1, 2], [1, 1], [2, 2]], np.int32),
    ...     path_length=np.array([0, 2.0, 1.0]),
    ...     roots=np.array([0], np.int32),
    ...     path_length_scale=np.float64(2),
    ...     n_features=np.int32(1),
    ... )
    >>> forest = Forest(one_split, Threshold.find(-0.6, one_split))
    >>> forest.score_and_label([[0.5], [0.6]])
    (array([-0.5       , -0.70710678]), array([ 1, -1]))
    """

    def __init__(
        self,
        arrays: ForestArrays,
        threshold: Threshold,
        kernel: type[Kernel] | None = None,
        encoding: Encoding | None = None,
    ) -> None:
        arrays.check()
        threshold.check(arrays)
        self.arrays = arrays
        self.threshold = threshold
        self._border = threshold.path_length_sum
        self.encoding = encoding
        self.n_features = int(arrays.n_features)
        if encoding is not None and len(encoding) != self.n_features:
            raise InvalidBundle(f"The encoding makes {len(encoding)} features, the forest has {self.n_features}.")
        self._scale = float(arrays.path_length_scale)
        self._kernel = kernel(arrays) if kernel else _fastest_kernel(arrays)  # type: ignore[call-arg]
        self._sum_of_row = self._kernel.sum_path_lengths_of_row if encoding is None else self._sum_of_encoded_row

    @property
    def kernel(self) -> str:
        """The kernel in use: ``compiled`` or ``numpy``."""
        return self._kernel.name

    @property
    def offset(self) -> float:
        """The threshold as a score: rows with a lower score are outliers."""
        return self.threshold.score

    def sum_path_lengths(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Sum the path lengths of rows over all trees, in edges, shape ``(n_rows,)``; rows as in :meth:`score`."""
        return self._kernel.sum_path_lengths(self.to_features(rows))

    @property
    def n_columns(self) -> int:
        """How many numbers a row has."""
        return self.n_features if self.encoding is None else self.encoding.n_columns

    def to_features(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Make the trees' features of rows, shape ``(n_rows, n_features)``."""
        return np.asarray(rows, dtype=np.float32) if self.encoding is None else self.encoding.encode(rows)

    def score(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Compute scores like scikit-learn's ``IsolationForest.score_samples``.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_columns)``, within float32; a missing value is NaN.

        Returns
        -------
        Shape ``(n_rows,)``, each in [-1, 0]: lower is more abnormal.
        """
        return to_scores(self.sum_path_lengths(rows), self._scale)

    def sum_path_lengths_of_halves(self, rows: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum the path lengths over two halves of the trees, which were grown independently; at least two trees.

        Returns
        -------
        Two arrays of shape ``(n_rows,)``; of an odd number of trees, the last is left out.
        """
        half, single = len(self.arrays.roots) // 2, self.to_features(rows)
        kernel, roots = type(self._kernel), (self.arrays.roots[:half], self.arrays.roots[half : 2 * half])
        first, second = (
            kernel(replace(self.arrays, roots=each)).sum_path_lengths(single)  # type: ignore[call-arg]
            for each in roots
        )
        return first, second

    def score_and_label(self, rows: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Compute scores, and labels like scikit-learn's ``predict``: 1 inlier, -1 outlier; as :meth:`score`."""
        sums = self.sum_path_lengths(rows)
        return to_scores(sums, self._scale), _LABELS.take(sums < self._border)

    def score_and_label_row(self, row: Sequence[float]) -> tuple[float, int]:
        """Compute score and label of one row: the same as ``score_and_label``, several times faster.

        Parameters
        ----------
        row
            One number per column, within float32; a missing value is NaN.
        """
        path_length = self._sum_of_row(row)
        label = OUTLIER if path_length < self._border else INLIER
        if not self._scale:
            return -0.5, label
        return -float(np.power(2.0, path_length / -self._scale)), label

    def _sum_of_encoded_row(self, row: Sequence[float]) -> float:
        """Encode one row, and sum its path lengths."""
        assert self.encoding is not None, "only then"
        return self._kernel.sum_path_lengths_of_row(self.encoding.encode_row(row))


def to_scores(sums: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Compute scores from sums of path lengths, same shape."""
    if not scale:
        # Trees grown from one row carry no information: scikit-learn then gives every row the score -0.5.
        return np.full(len(sums), -0.5)
    # The same NumPy operations as in scikit-learn: Python's power function may round differently.
    scores: NDArray[np.float64] = -np.power(2, sums / -scale)
    return scores


def _find_smallest_sum(score: float, arrays: ForestArrays) -> float:
    """Find the smallest sum of path lengths whose score is at least ``score``, by bisection over all floats."""
    scale, highest = float(arrays.path_length_scale), arrays.never_reached()

    def is_inlier(path_length_sum: float) -> bool:
        return bool(to_scores(np.array([path_length_sum]), scale)[0] >= score)

    if is_inlier(0.0):
        return 0.0
    # Positive floats have the order of their bits.
    below, border = 0, int(np.float64(highest).view(np.int64))
    while border - below > 1:
        middle = (below + border) // 2
        if is_inlier(float(np.int64(middle).view(np.float64))):
            border = middle
        else:
            below = middle
    return float(np.int64(border).view(np.float64))


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
