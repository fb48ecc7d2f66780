"""Kernels that explain rows: one in C, in the same library as that of the scores, and one in NumPy.

The NumPy kernel is slow, some milliseconds a row, and works everywhere; both agree up to rounding.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.model.explain_trees import ExplainTrees
from app.model.forest_arrays import round_down
from app.model.kernels import LIBRARY, KernelNotBuilt, load_functions

# Lanes of the C source are at most this many numbers: the quadrature points are padded to a multiple of it.
_MAX_LANES = 4

# Features that have a bit of their own in a node's ``tested``; all others share the last bit.
_OWN_BITS = 31

# Fewer rows take less time than another thread may keep the interpreter lock.
_MIN_ROWS_TO_RELEASE_LOCK = 8

_NODE = np.dtype(
    [
        ("expected", np.float64, 2),
        ("zero_before", np.float64),
        ("zero", np.float64, 2),
        ("tested", np.uint32, 2),
        ("threshold", np.float32),
        ("feature", np.int16),
        ("missing_right", np.int16),
        ("right", np.int32),
        ("slot", np.int32),
    ]
)


class ExplainKernel(Protocol):
    """Computes what explanations need of all trees."""

    def shapley_values(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute each feature's Shapley value of the sum of path lengths, in edges.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``; a missing value is NaN.

        Returns
        -------
        Shape ``(n_rows, n_features)``: positive makes paths longer, and so the row more normal.
        """
        ...

    def gains(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute what the sum of path lengths gains if one feature takes a value in a slot, for each slot.

        Parameters
        ----------
        row
            Shape ``(n_features,)``; a missing value is NaN.

        Returns
        -------
        Shape ``(n_slots,)``, in edges; 0 for the row's own slots.
        """
        ...


def fastest_kernel(trees: ExplainTrees) -> ExplainKernel:
    """Return the compiled kernel, or the NumPy one if there is none, of which the forest has warned."""
    try:
        return CompiledExplainKernel(trees)
    except KernelNotBuilt:
        return NumpyExplainKernel(trees)


class _ForestStruct(ctypes.Structure):
    """The C struct ``explain_forest``."""

    _fields_ = (
        ("nodes", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("first_slots", ctypes.c_void_p),
        ("points", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("n_trees", ctypes.c_int32),
        ("n_points", ctypes.c_int32),
        ("n_features", ctypes.c_int32),
    )


class CompiledExplainKernel:
    """Walks the trees in C; see ``explain_kernel.c``.

    Parameters
    ----------
    trees
        The trees, which must be checked: the C code trusts them.
    library
        The shared library.

    Raises
    ------
    KernelNotBuilt
        If the library is missing, was compiled from another source, or is not for this machine.
    """

    def __init__(self, trees: ExplainTrees, library: Path = LIBRARY) -> None:
        types = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
        self._with_lock, self._without_lock = load_functions(library, "explain_rows", types)
        self._add_gains, _ = load_functions(library, "add_gains", (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p))
        padding = -len(trees.points) % _MAX_LANES
        # Must stay referenced, as the struct holds only the addresses.
        self._memory = (
            *_to_nodes(trees),
            trees.slots.first,
            # A padded point has no weight, and any place where nothing is divided by zero.
            np.append(trees.points, np.full(padding, 0.5)),
            np.append(trees.weights, np.zeros(padding)),
        )
        self._struct = _ForestStruct(
            *(part.ctypes.data for part in self._memory),
            len(trees.arrays.roots),
            len(trees.points),
            int(trees.arrays.n_features),
        )
        self._address = ctypes.addressof(self._struct)
        self._n_slots = len(trees.slots.low)

    def shapley_values(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the Shapley values; shapes as in ``ExplainKernel``."""
        rows = np.ascontiguousarray(rows, np.float32)
        values = np.empty(rows.shape)
        call = self._with_lock if len(rows) < _MIN_ROWS_TO_RELEASE_LOCK else self._without_lock
        call(self._address, rows.ctypes.data, len(rows), values.ctypes.data)
        return values

    def gains(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the gains; shapes as in ``ExplainKernel``."""
        row = np.ascontiguousarray(row, np.float32)
        changes = np.zeros(self._n_slots + 1)
        self._add_gains(self._address, row.ctypes.data, changes.ctypes.data)
        return np.cumsum(changes[:-1])


def _to_nodes(trees: ExplainTrees) -> tuple[NDArray[np.void], NDArray[np.int32]]:
    """Convert the trees to C structs, each inner node before its left subtree and that before its right one.

    Returns
    -------
    Inner nodes, shape ``(n_inner_nodes,)``, and the roots, shape ``(n_trees,)``; -1 for a root that is a leaf.
    """
    arrays, roots = trees.arrays, trees.levels[0]
    is_inner = ~arrays.is_leaf()
    # Inner nodes of each subtree.
    size = is_inner.astype(np.int64)
    tested = np.zeros(len(size), np.uint32)
    for level in reversed(trees.levels[1:]):
        above = trees.parent[level[::2]]
        size[above] += size[level].reshape(-1, 2).sum(axis=1)
        own = np.uint32(1) << np.minimum(arrays.feature[above], _OWN_BITS).astype(np.uint32)
        tested[above] = own | np.bitwise_or.reduce(tested[level].reshape(-1, 2), axis=1)
    place = np.zeros(len(size), np.int64)
    place[roots] = np.cumsum(size[roots]) - size[roots]
    for level in trees.levels[1:]:
        left, right = level[::2], level[1::2]
        place[left] = place[trees.parent[left]] + 1
        place[right] = place[left] + size[left]
    inner, n_inner = np.flatnonzero(is_inner), int(is_inner.sum())
    # From the start of a cache line on.
    memory = np.zeros((n_inner + 1) * _NODE.itemsize, np.uint8)
    nodes = memory[-memory.ctypes.data % _NODE.itemsize :][: n_inner * _NODE.itemsize].view(_NODE)
    children, to = arrays.children[inner], place[inner]
    nodes["expected"][to] = trees.expected[children]
    nodes["zero_before"][to] = trees.zero_before[children[:, 0]]
    nodes["zero"][to] = trees.zero[children]
    nodes["tested"][to] = tested[children]
    nodes["threshold"][to] = round_down(arrays.threshold[inner])
    nodes["feature"][to] = arrays.feature[inner]
    nodes["missing_right"][to] = -arrays.missing_go_to_right()[inner].astype(np.int16)
    nodes["right"][to] = place[children[:, 1]]
    nodes["slot"][to] = trees.slots.of_node[inner]
    return nodes, np.where(is_inner[roots], place[roots], -1).astype(np.int32)


class NumpyExplainKernel:
    """Walks all trees of a row at once, level by level.

    Parameters
    ----------
    trees
        The trees, which must be checked.
    """

    def __init__(self, trees: ExplainTrees) -> None:
        self._trees = trees
        self._threshold = round_down(trees.arrays.threshold)
        self._missing_right = trees.arrays.missing_go_to_right()
        self._is_leaf = trees.arrays.is_leaf()
        # The slots of the parent's feature that lead from the root to a node: from low, before high.
        first = trees.slots.first.astype(np.int64)
        self._low, self._high = np.zeros((2, len(self._is_leaf)), np.int64)
        for level in trees.levels[1:]:
            parent, before = trees.parent[level], trees.before[level]
            slot, feature = trees.slots.of_node[parent], trees.arrays.feature[parent]
            is_right, is_first = np.arange(len(level)) % 2 == 1, trees.parent[before] == before
            low = np.where(is_first, first[feature], self._low[before])
            high = np.where(is_first, first[feature + 1], self._high[before])
            self._low[level] = np.where(is_right, np.maximum(low, slot), low)
            self._high[level] = np.where(is_right, high, np.minimum(high, slot))

    def shapley_values(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the Shapley values; shapes as in ``ExplainKernel``."""
        values = np.empty(rows.shape)
        for row, own in zip(rows, values, strict=True):
            own[:] = self._of_row(row)
        return values

    def _of_row(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the Shapley values of one row, shape ``(n_features,)``."""
        trees, feature = self._trees, self._trees.arrays.feature
        goes_right = self._goes_right(row)
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

    def gains(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the gains; shapes as in ``ExplainKernel``."""
        arrays, goes_right = self._trees.arrays, self._goes_right(row)
        # The walk of the unchanged row: its nodes, and its leaf in each tree.
        node, tree = arrays.roots.astype(np.int64), np.arange(len(arrays.roots))
        own_leaf = np.empty(len(tree), np.int64)
        # Walks that left it: their nodes, trees, changed features, and the last nodes that tests of these led to.
        off = np.empty((4, 0), np.int64)
        ended = []
        while node.size or off.size:
            at_end = self._is_leaf[node]
            own_leaf[tree[at_end]] = node[at_end]
            node, tree = node[~at_end], tree[~at_end]
            at_end = self._is_leaf[off[0]]
            ended.append(off[:, at_end])
            off = off[:, ~at_end]
            # The changed feature may go both ways, all others go as the row does.
            is_changed = arrays.feature[off[0]] == off[2]
            both, one = off[:, is_changed], off[:, ~is_changed]
            one[0] = arrays.children[one[0], goes_right[one[0]].astype(np.int64)]
            children = arrays.children[both[0]].reshape(-1)
            both = np.repeat(both, 2, axis=1)
            both[0] = both[3] = children
            leaving = arrays.children[node, (~goes_right[node]).astype(np.int64)]
            left = np.stack([leaving, tree, arrays.feature[node], leaving])
            off = np.concatenate([left, both, one], axis=1)
            node = arrays.children[node, goes_right[node].astype(np.int64)].astype(np.int64)
        leaf, in_tree, _, last = np.concatenate(ended, axis=1)
        low, high = self._low[last], self._high[last]
        gain = np.where(low < high, arrays.path_length[leaf] - arrays.path_length[own_leaf[in_tree]], 0)
        n_slots = len(self._trees.slots.low)
        changes = np.bincount(low, gain, n_slots + 1) - np.bincount(high, gain, n_slots + 1)
        return np.cumsum(changes[:-1])

    def _goes_right(self, row: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return to which side the row goes at each node, shape ``(n_nodes,)``."""
        tested = row[self._trees.arrays.feature]
        return (tested > self._threshold) | (np.isnan(tested) & self._missing_right)

    def _before(self, level: NDArray[np.int64], one: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the factor of the tested feature before the test, shape ``(n_nodes, n_points)``."""
        points, trees = self._trees.points, self._trees
        return one[trees.before[level], None] * points + trees.zero_before[level, None] * (1 - points)

    def _factors(self, level: NDArray[np.int64], one: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute by what the product of factors changes from parent to node, shape ``(n_nodes, n_points)``."""
        points = self._trees.points
        now: NDArray[np.float64] = one[level, None] * points + self._trees.zero[level, None] * (1 - points)
        return now / self._before(level, one)
