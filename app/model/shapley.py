"""Shapley values of a row's path length, exact: each tree with its training counts as the distribution of the rows.

Notes
-----
For one leaf, let d features be tested on its path. Feature j has ``one`` (1 if the row passes all tests of j on the
path, else 0) and ``zero`` (the product of the shares of training rows that pass them). The Shapley value of feature i
for this leaf is its path length times the integral over t from 0 to 1 of

    (one_i - zero_i) * product over j != i of (one_j t + zero_j (1 - t)),

because a subset of s of the other features has the weight s! (d-1-s)! / d!, the integral of t^s (1-t)^(d-1-s). The
product is a polynomial of degree d - 1, so Gauss-Legendre quadrature with ceil(d / 2) points is exact. At each point,
two passes over a tree suffice: the products of factors from the root to each node, and the sums over leaves back to it. A
feature that is tested again on the way replaces its factor.

This is the path-dependent TreeSHAP of Lundberg et al. 2020 in the linear time of Yu et al. 2022, "Linear TreeShap",
which evaluates the same polynomials at other points. The shares are those of ``weighted_n_node_samples``, as in shap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.model.forest_arrays import ForestArrays
from app.model.kernels import missing_go_to_right, round_down


@dataclass(frozen=True)
class ShapleyTrees:
    """The trees with what Shapley values need, in the numbering of ``ForestArrays``; each array has one entry a node.

    Parameters
    ----------
    arrays
        The trees, checked, of format 2.
    levels
        The nodes of all trees by level: ``levels[0]`` are the roots. Siblings are next to each other, left first.
    parent
        Number of the parent; of a root, its own.
    share
        Share of the parent's training rows that reached this node; 1 for a root.
    zero, zero_before
        Share of training rows that pass all tests of the parent's feature on the way to this node, and the same before
        the parent's test. 1 for a root.
    before
        The closest node on the way that a test of the same feature led to; the root if the parent's test is the first.
    expected
        Mean path length of the training rows that reached this node, in edges.
    points, weights
        Quadrature points in (0, 1) and their weights, shape ``(n_points,)``.
    """

    arrays: ForestArrays
    levels: list[NDArray[np.int64]]
    parent: NDArray[np.int64]
    share: NDArray[np.float64]
    zero: NDArray[np.float64]
    zero_before: NDArray[np.float64]
    before: NDArray[np.int64]
    expected: NDArray[np.float64]
    points: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, arrays: ForestArrays) -> ShapleyTrees:
        """Compute them from the trees.

        Parameters
        ----------
        arrays
            The trees, checked, with ``weighted_n_node_samples``.
        """
        counts = arrays.weighted_n_node_samples
        if counts is None:
            raise ValueError("the trees have no counts of training rows")
        n_nodes, is_leaf = len(arrays.feature), arrays.is_leaf()
        parent = np.arange(n_nodes)
        before = np.arange(n_nodes)
        share, zero, zero_before = np.ones(n_nodes), np.ones(n_nodes), np.ones(n_nodes)
        # Number of different features on the way to a node.
        n_different = np.zeros(n_nodes, np.int64)
        level = arrays.roots.astype(np.int64)
        levels = [level]
        while (inner := level[~is_leaf[level]]).size:
            level = arrays.children[inner].reshape(-1).astype(np.int64)
            above = np.repeat(inner, 2)
            parent[level] = above
            share[level] = counts[level] / counts[above]
            # Climb to the last test of the same feature; a root is its own parent.
            closest = above.copy()
            for _ in range(len(levels)):
                is_other = (parent[closest] != closest) & (arrays.feature[parent[closest]] != arrays.feature[above])
                closest = np.where(is_other, parent[closest], closest)
            is_first = parent[closest] == closest
            before[level] = closest
            zero_before[level] = zero[closest]
            zero[level] = zero_before[level] * share[level]
            n_different[level] = n_different[above] + is_first
            levels.append(level)
        expected = arrays.path_length.copy()
        for level in reversed(levels[1:]):
            weighted = (share[level] * expected[level]).reshape(-1, 2)
            expected[parent[level[::2]]] = weighted.sum(axis=1)
        n_points = (int(n_different.max()) + 1) // 2 or 1
        points, weights = np.polynomial.legendre.leggauss(n_points)
        return cls(arrays, levels, parent, share, zero, zero_before, before, expected, (points + 1) / 2, weights / 2)


class Shapley(Protocol):
    """Computes Shapley values."""

    def sum_over_trees(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute each feature's Shapley value of the sum of path lengths, shape of ``rows``, in edges."""
        ...


class NumpyShapley:
    """Computes Shapley values level by level, all trees of a row at once: some milliseconds a row."""

    def __init__(self, trees: ShapleyTrees) -> None:
        self._trees = trees
        self._threshold = round_down(trees.arrays.threshold)
        self._missing_right = missing_go_to_right(trees.arrays)

    def sum_over_trees(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute each feature's Shapley value of the sum of path lengths.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``; a missing value is NaN.

        Returns
        -------
        Shape ``(n_rows, n_features)``, in edges: positive makes paths longer, and so the row more normal.
        """
        values = np.empty(rows.shape)
        for row, own in zip(rows, values, strict=True):
            own[:] = self._of_row(row)
        return values

    def _of_row(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the Shapley values of one row, shape ``(n_features,)``."""
        trees, feature = self._trees, self._trees.arrays.feature
        tested = row[feature]
        goes_right = (tested > self._threshold) | (np.isnan(tested) & self._missing_right)
        one = np.ones(len(feature))
        above = np.empty((len(feature), len(trees.points)))
        above[trees.levels[0]] = trees.weights
        for level in trees.levels[1:]:
            is_right = np.arange(len(level)) % 2 == 1
            one[level] = one[trees.before[level]] * (goes_right[trees.parent[level]] == is_right)
            above[level] = above[trees.parent[level]] * self._factors(level, one)
        below = np.repeat(trees.arrays.path_length[:, None], len(trees.points), axis=1)
        values = np.zeros(len(row))
        for level in reversed(trees.levels[1:]):
            parent, one_before = trees.parent[level], one[trees.before[level]]
            below[parent[::2]] = (self._factors(level, one) * below[level]).reshape(-1, 2, below.shape[1]).sum(axis=1)
            # Replacing the feature's factor before this test by the one behind it changes the integral by this much.
            sums = (above[parent] * below[level] / self._before(level, one) ** 2).sum(axis=1)
            change = one_before * (one[level] * trees.zero_before[level] - trees.zero[level]) * sums
            values += np.bincount(feature[parent], change, minlength=len(row))
        return values

    def _before(self, level: NDArray[np.int64], one: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the factor of the tested feature before the test, shape ``(n_nodes, n_points)``."""
        points, trees = self._trees.points, self._trees
        return one[trees.before[level], None] * points + trees.zero_before[level, None] * (1 - points)

    def _factors(self, level: NDArray[np.int64], one: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute by what the product of factors changes from parent to node, shape ``(n_nodes, n_points)``."""
        points = self._trees.points
        now: NDArray[np.float64] = one[level, None] * points + self._trees.zero[level, None] * (1 - points)
        return now / self._before(level, one)


def fastest_shapley(trees: ShapleyTrees) -> Shapley:
    """Return the fastest way to compute Shapley values on this machine."""
    return NumpyShapley(trees)
