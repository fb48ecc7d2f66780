"""The trees with what explanations need, which the kernels in ``explain_kernels`` walk.

Notes
-----
For one leaf, let d features be tested on its path. Feature j has ``one`` (1 if the row passes all tests of j on the
path, else 0) and ``zero`` (the product of the shares of training rows that pass them). The Shapley value of feature i
for this leaf is its path length times the integral over t from 0 to 1 of

    (one_i - zero_i) * product over j != i of (one_j t + zero_j (1 - t)),

because a subset of s of the other features has the weight s! (d-1-s)! / d!, the integral of t^s (1-t)^(d-1-s). The
product is a polynomial of degree d - 1, so Gauss-Legendre quadrature with ceil(d / 2) points is exact. At each point,
two passes over a tree suffice: the products of factors from the root to each node, and the sums over leaves back to
it. A feature that is tested again on the way replaces its factor.

This is the path-dependent TreeSHAP of Lundberg et al. 2020 in the linear time of Yu et al. 2022, "Linear TreeShap",
which evaluates the same polynomials at other points. The shares are those of ``weighted_n_node_samples``, as in shap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.forest_arrays import ForestArrays, round_down

# Counts of training rows cannot lead below 1e-10. Extreme weights of rows could, and would then divide by zero.
_MIN_ZERO = 1e-100


@dataclass(frozen=True)
class Slots:
    """The values of each feature between neighbouring thresholds of all trees: within a slot, no score changes.

    Parameters
    ----------
    feature
        Feature of each slot, ascending, shape ``(n_slots,)``.
    first
        Number of each feature's first slot, and the number of slots, shape ``(n_features + 1,)``.
    low, high
        A slot's values are above ``low`` and up to ``high``; float32, the first ``low`` and the last ``high`` of a
        feature are infinite.
    of_node
        The slot above each node's threshold; of a leaf, 0.
    """

    feature: NDArray[np.int64]
    first: NDArray[np.int32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    of_node: NDArray[np.int64]

    @classmethod
    def of(cls, arrays: ForestArrays) -> Slots:
        """Sort the thresholds of all trees."""
        threshold, inner = round_down(arrays.threshold), ~arrays.is_leaf()
        of_node = np.zeros(len(inner), np.int64)
        first, low = [0], []
        for feature in range(int(arrays.n_features)):
            tests = np.flatnonzero(inner & (arrays.feature == feature))
            distinct, rank = np.unique(threshold[tests], return_inverse=True)
            of_node[tests] = first[-1] + 1 + rank
            low.append(np.concatenate([[np.float32(-np.inf)], distinct]))
            first.append(first[-1] + len(low[-1]))
        high = np.concatenate([np.append(each[1:], np.float32(np.inf)) for each in low])
        feature_of_slot = np.repeat(np.arange(len(low)), np.diff(first))
        return cls(feature_of_slot, np.array(first, np.int32), np.concatenate(low), high, of_node)


@dataclass(frozen=True)
class ExplainTrees:
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
    slots
        The values between thresholds.
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
    slots: Slots
    points: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, arrays: ForestArrays) -> ExplainTrees:
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
            zero[level] = np.maximum(zero_before[level] * share[level], _MIN_ZERO)
            n_different[level] = n_different[above] + is_first
            levels.append(level)
        expected = arrays.path_length.copy()
        for level in reversed(levels[1:]):
            weighted = (share[level] * expected[level]).reshape(-1, 2)
            expected[parent[level[::2]]] = weighted.sum(axis=1)
        n_points = (int(n_different.max()) + 1) // 2 or 1
        points, weights = np.polynomial.legendre.leggauss(n_points)
        return cls(
            arrays,
            levels,
            parent,
            share,
            zero,
            zero_before,
            before,
            expected,
            Slots.of(arrays),
            (points + 1) / 2,
            weights / 2,
        )
