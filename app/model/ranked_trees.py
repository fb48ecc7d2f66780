"""The trees for the compiled kernel's lanes of one byte: thresholds are ranks, leaves are numbered from left to right.

Notes
-----
The kernel finds the place of a value among all thresholds of its feature, once for many trees, and looks up the value's
rank in each group of trees (``forest_lanes.h``). Parts keep these tables small: their size is the number of thresholds
times that of groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.forest_arrays import ForestArrays, round_down

_NODE = np.dtype(
    [
        ("rank", np.int8),
        ("greatest", np.int8),
        ("first", np.uint8),
        ("leaves_on_left", np.uint8),
        ("feature", np.int32),
    ]
)

# Numbers of leaves are bytes.
_MAX_LEAVES = 256

# Ranks are bytes as well: the least is that of a value below all thresholds, the greatest that of a missing value.
_MAX_THRESHOLDS, _LEAST, _MISSING = 254, -128, 127

# Bytes of a part's tables: half of the smallest usual second-level cache, as nodes and path lengths need room, too.
_MAX_TABLE = 1 << 17


@dataclass(frozen=True)
class Part:
    """Trees that follow each other, as the C struct ``part`` has them.

    Parameters
    ----------
    nodes
        Inner nodes as the C struct ``ranked_node``, tree after tree, each before those below it.
    first_nodes
        Place of each tree's first node, and the number of nodes; shape ``(n_trees + 1,)``.
    path_lengths
        Of the leaves, in edges, tree after tree and from left to right.
    first_leaves
        Place of each tree's first leaf, shape ``(n_trees,)``.
    thresholds
        The different ones, feature after feature, ascending.
    first_thresholds
        Place of each feature's first threshold, and the number of thresholds; shape ``(n_features + 1,)``.
    ranks
        For each group of trees, and in it for each feature: by the number of thresholds below a value, its rank in the
        group; and then the rank of a missing value.
    trees_in_group
        How many trees a group has; the last may have fewer.
    """

    nodes: NDArray[np.void]
    first_nodes: NDArray[np.int32]
    path_lengths: NDArray[np.float64]
    first_leaves: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    first_thresholds: NDArray[np.int32]
    ranks: NDArray[np.int8]
    trees_in_group: int


def rank_trees(arrays: ForestArrays) -> list[Part]:
    """Divide a forest into parts; there are none if a tree has over 256 leaves or over 254 thresholds of a feature."""
    trees = _Trees(arrays)
    if trees.n_leaves.max() > _MAX_LEAVES or trees.most_thresholds(1) > _MAX_THRESHOLDS:
        return []
    n_trees = len(trees.n_leaves)
    in_group = _double(1, n_trees, lambda size: trees.most_thresholds(size) <= _MAX_THRESHOLDS)
    in_part = _double(in_group, n_trees, lambda size: trees.largest_table(size, in_group) <= _MAX_TABLE)
    return [trees.part(first, min(first + in_part, n_trees), in_group) for first in range(0, n_trees, in_part)]


def _double(size: int, enough: int, is_possible: Callable[[int], bool]) -> int:
    """Double a size, which is possible, as long as it is possible and not enough."""
    while size < enough and is_possible(2 * size):
        size *= 2
    return size


class _Trees:
    """The inner nodes of all trees, and what their thresholds are among those of the forest."""

    def __init__(self, arrays: ForestArrays) -> None:
        is_leaf, children, levels = arrays.is_leaf(), arrays.children, arrays.levels()
        n_leaves, first = np.ones(len(is_leaf), np.int64), np.zeros(len(is_leaf), np.int64)
        for level, _ in reversed(levels):
            inner = level[~is_leaf[level]]
            n_leaves[inner] = n_leaves[children[inner]].sum(axis=1)
        for level, _ in levels:
            inner = level[~is_leaf[level]]
            left, right = children[inner].T
            first[left], first[right] = first[inner], first[inner] + n_leaves[left]
        node, tree = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        # A stable sort keeps the levels of a tree in their order.
        order = np.argsort(tree, kind="stable")
        node, tree = node[order], tree[order]
        self.n_features, self.n_leaves = int(arrays.n_features), n_leaves[arrays.roots]
        self.first_leaf = np.concatenate([[0], np.cumsum(self.n_leaves)])
        leaf, of_tree = node[is_leaf[node]], tree[is_leaf[node]]
        self.path_length = np.empty(len(leaf))
        self.path_length[self.first_leaf[of_tree] + first[leaf]] = arrays.path_length[leaf]
        node, self.tree = node[~is_leaf[node]], tree[~is_leaf[node]]
        self.first_node = np.searchsorted(self.tree, np.arange(len(self.n_leaves) + 1))
        self.nodes = np.zeros(len(node), _NODE)
        self.nodes["feature"], self.nodes["first"] = arrays.feature[node], first[node]
        self.nodes["leaves_on_left"] = n_leaves[children[node, 0]]
        self.nodes["greatest"] = np.where(arrays.missing_go_to_right()[node], _MISSING, _MISSING - 1)
        # Equal thresholds of a feature have one key. Keys ascend with features, and in each with thresholds.
        feature, threshold = arrays.feature[node], round_down(arrays.threshold[node])
        order = np.lexsort((threshold, feature))
        is_new = np.ones(len(order), np.bool_)
        is_new[1:] = (np.diff(feature[order]) != 0) | (threshold[order][1:] != threshold[order][:-1])
        self.key = np.empty(len(order), np.int64)
        self.key[order] = np.cumsum(is_new) - 1
        self.feature_of_key, self.threshold_of_key = feature[order][is_new], threshold[order][is_new]

    def most_thresholds(self, size: int) -> int:
        """Count the different thresholds of a feature in so many trees that follow each other, where there are most."""
        group, key = self._pairs(size)
        counts = np.bincount(group * self.n_features + self.feature_of_key[key], minlength=1)
        return int(counts.max())

    def largest_table(self, size: int, in_group: int) -> int:
        """Return the bytes of the largest table if parts have so many trees, but for a few for each feature."""
        return int(np.bincount(self._pairs(size)[0], minlength=1).max()) * -(-size // in_group)

    def _pairs(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which groups of so many trees have which keys, each pair once."""
        n_keys = max(len(self.feature_of_key), 1)
        pairs = np.unique(self.tree // size * n_keys + self.key)
        return pairs // n_keys, pairs % n_keys

    def part(self, first: int, end: int, in_group: int) -> Part:
        """Return the trees from one number to before another."""
        begin, behind = self.first_node[[first, end]]
        nodes, keys = self.nodes[begin:behind].copy(), np.unique(self.key[begin:behind])
        first_thresholds = np.searchsorted(self.feature_of_key[keys], np.arange(self.n_features + 1))
        n_thresholds = np.diff(first_thresholds)
        # A table has a place more for each feature than there are thresholds, and one for missing values.
        feature = np.repeat(np.arange(self.n_features), n_thresholds + 2)
        place = np.arange(len(feature)) - 2 * feature
        is_missing = np.append(np.diff(feature) > 0, True) if len(feature) else np.zeros(0, np.bool_)
        place[is_missing] -= 1
        tables = []
        for group in range(first, end, in_group):
            begin_group, behind_group = self.first_node[[group, min(group + in_group, end)]]
            is_own = np.zeros(len(keys) + 1, np.int64)
            own = np.searchsorted(keys, self.key[begin_group:behind_group])
            is_own[1 + own] = 1
            n_below = np.cumsum(is_own)
            n_of_features = n_below[first_thresholds]
            table = n_below[place] - n_of_features[feature] + _LEAST
            table[is_missing] = _MISSING
            tables.append(table.astype(np.int8))
            of_group = nodes[begin_group - begin : behind_group - begin]
            of_group["rank"] = n_below[own] - n_of_features[of_group["feature"]] + _LEAST
        return Part(
            nodes,
            (self.first_node[first : end + 1] - begin).astype(np.int32),
            self.path_length[self.first_leaf[first] : self.first_leaf[end]].copy(),
            (self.first_leaf[first:end] - self.first_leaf[first]).astype(np.int32),
            self.threshold_of_key[keys],
            first_thresholds.astype(np.int32),
            np.concatenate(tables),
            in_group,
        )
