"""Maximum mean discrepancy between a window of rows and the reference rows, over all features together.

References
----------
A. Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research 13, 2012.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# The spread is that of the middle half. If half of the rows or more are equal, it is that of the first wider range with
# a positive spread.
_QUANTILE_PAIRS = ((0.25, 0.75), (0.1, 0.9), (0.05, 0.95), (0.01, 0.99), (0.0, 1.0))


@dataclass(frozen=True)
class RobustScaling:
    """Centre and spread of each feature, from quantiles, so that a few extreme rows do not determine the scale.

    Parameters
    ----------
    centre, spread
        Shape ``(n_features,)``; the spread is positive.

    Examples
    --------
    >>> scaling = RobustScaling.of(np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [4.0, 7.0], [1e9, 7.0]]))
    >>> scaling.centre, scaling.spread
    (array([3., 7.]), array([2., 1.]))
    >>> scaling.apply(np.array([[3.0, 8.0], [1e9, 7.0]])).round(2)
    array([[ 0.  ,  0.88],
           [20.72,  0.  ]])
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> RobustScaling:
        """Compute the scaling of rows, shape ``(n_rows, n_features)``; a constant feature gets the spread 1."""
        spread = np.zeros(rows.shape[1])
        for low, high in _QUANTILE_PAIRS:
            bottom, top = np.quantile(rows, (low, high), axis=0)
            spread = np.where(spread > 0, spread, top - bottom)
        return cls(np.median(rows, axis=0), np.where(spread > 0, spread, 1.0))

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale rows, shape ``(n_rows, n_features)``: linear near the centre, logarithmic far from it."""
        scaled: NDArray[np.float64] = np.arcsinh((rows - self.centre) / self.spread)
        return scaled


Encode: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float32]]


def encode_rows(rows: NDArray[np.float64], encode: Encode | None) -> NDArray[np.float64]:
    """Return the rows that ``mmd`` compares: the forest's features, or the columns themselves.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_columns)``, finite.
    encode
        Makes the forest's features of columns; None if they are the columns.

    Returns
    -------
    Shape ``(n_rows, n_features)``, finite.
    """
    if encode is None:
        return rows
    # An encoding may have no value for a row, such as the logarithm of a negative number.
    return np.nan_to_num(encode(rows), nan=0.0).astype(np.float64)


# With 2,000 reference rows, a megabyte of similarities, which a processor's cache holds.
_ROWS_AT_ONCE = 64


class KernelReference:
    """The reference rows, prepared for comparisons.

    The similarity of two scaled rows is ``exp(-|x - y| ** 2 / (2 * bandwidth ** 2))``.

    Parameters
    ----------
    rows
        Shape ``(n_reference, n_columns)``.
    bandwidth
        The distance of scaled rows at which similarity has fallen to 0.61, positive.
    encode
        Makes the forest's features of columns; None if they are the columns.

    Examples
    --------
    >>> reference = KernelReference(np.array([[0.0], [1.0], [2.0]]), bandwidth=1.0)
    >>> reference.mean_similarity(reference.place(np.array([[1.0], [100.0]]))).round(3)
    array([0.785, 0.   ])
    """

    def __init__(self, rows: NDArray[np.float64], bandwidth: float, encode: Encode | None = None) -> None:
        self._encode = encode
        self._scaling, self._factor = RobustScaling.of(encode_rows(rows, encode)), 1 / (bandwidth * np.sqrt(2))
        # One product with (x, 1, |x|^2) then yields all exponents -|x - y|^2.
        self.table = table_of(self.place(rows))
        # The part of the discrepancy that does not depend on the window.
        self.own_similarity = float(self.mean_similarity(self.place(rows)).mean())

    def place(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Encode and scale rows so that similarity is ``exp(-|x - y| ** 2)``; shape ``(n_rows, n_features)``."""
        points = self._scaling.apply(encode_rows(rows, self._encode))
        points *= self._factor
        return points

    def mean_similarity(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean similarity of placed rows to all reference rows; shape ``(n_rows,)``, each in [0, 1]."""
        # A few rows at a time: all rows by all reference rows would not fit into memory.
        means = np.empty(len(points))
        for start in range(0, len(points), _ROWS_AT_ONCE):
            exponents = extend(points[start : start + _ROWS_AT_ONCE]) @ self.table.T
            means[start : start + _ROWS_AT_ONCE] = np.exp(exponents, out=exponents).mean(axis=1)
        return means


class KernelWindow:
    """The last rows, and their discrepancy from the reference.

    A row is compared once with each reference row and each row of the window. Its contribution is stored with it, so
    that the discrepancy is one sum and no rounding error accumulates over millions of rows.

    Parameters
    ----------
    reference
        The reference rows.
    size
        Rows in the window, at least 2.

    Examples
    --------
    >>> rows = np.arange(5.0)[:, None]
    >>> reference = KernelReference(rows, bandwidth=1.0)
    >>> window = KernelWindow(reference, size=5)
    >>> [round(window.push(point), 3) + 0 for point in reference.place(rows)][-1]
    0.0
    >>> [round(window.push(point), 3) for point in reference.place(rows + 10)][-1]
    1.444
    """

    def __init__(self, reference: KernelReference, size: int) -> None:
        n_reference, self._width = reference.table.shape
        # The rows of the window are below those of the reference, so that one product serves both.
        self._table = np.concatenate([reference.table, np.zeros((size, self._width))])
        # An empty place is similar to nothing.
        self._table[n_reference:, -2] = -np.inf
        self._similarities = np.zeros(n_reference + size)
        self._with_reference, self._with_window = np.split(self._similarities, [n_reference])
        self._contributions = np.zeros(size)
        self._first, self._size, self._next = n_reference, size, 0
        self._own = 1 / size + reference.own_similarity
        self._reference_factor, self._window_factor = -2 / (size * n_reference), 2 / size**2

    def push(self, point: NDArray[np.float64]) -> float:
        """Replace the oldest row by a placed row, shape ``(n_features,)``.

        Returns
        -------
        The squared discrepancy, at least 0: larger is farther. Meaningful once the window is full.
        """
        extended = extend(point)
        np.dot(self._table, extended, out=self._similarities)
        np.exp(self._similarities, out=self._similarities)
        self._with_window *= self._window_factor
        self._contributions += self._with_window
        self._contributions[self._next] = self._reference_factor * self._with_reference.sum()
        place = self._table[self._first + self._next]
        place[:-2] = 2 * point
        place[-2], place[-1] = -extended[-1], -1
        self._next = (self._next + 1) % self._size
        return float(self._contributions.sum()) + self._own


def extend(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Append 1 and the squared length to placed rows, shape ``(..., n_features)``."""
    extended = np.empty((*points.shape[:-1], points.shape[-1] + 2))
    extended[..., :-2] = points
    extended[..., -2] = 1
    extended[..., -1] = np.vecdot(points, points)
    return extended


def table_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert placed rows to ``(2 y, -|y|^2, -1)``, whose product with an extended row is ``-|x - y|^2``."""
    squares = (points**2).sum(axis=-1, keepdims=True)
    return np.concatenate([2 * points, -squares, -np.ones_like(squares)], axis=-1)
