"""The trees of an Isolation Forest as plain arrays: the contents of ``forest.npz``."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidBundle, count_of
from app.model.schema import MAX_FEATURES
from app.server.array_file import ArrayKind

# scikit-learn stops at log2 of a tree's training rows: 64 levels are enough for any number of rows. A row takes as many
# steps as a tree has levels, so a chain of a million nodes would stop the service.
MAX_LEVELS = 64

# Every row walks every tree: these take some milliseconds a row. Forests usually have 100 to 1,000.
MAX_TREES = 100_000

# Far above the longest possible path: 64 edges, plus the average path length of a tree of 2 ** 63 rows, which is 87.
MAX_PATH_LENGTH = 1000.0

# For this many rows, the confidences of 10,000 scores are still computed in seconds.
MAX_TRAINING_ROWS = 10**10

# Weights of rows are any positive numbers, so their sums are rounded.
_WEIGHT_TOLERANCE = 1e-9

_TREES = {
    "feature": ArrayKind(np.int32, 1),
    "threshold": ArrayKind(np.float64, 1),
    "children": ArrayKind(np.int32, 2),
    "path_length": ArrayKind(np.float64, 1),
    "roots": ArrayKind(np.int32, 1),
    "path_length_scale": ArrayKind(np.float64, 0),
    "n_features": ArrayKind(np.int32, 0),
}
_OF_FORMAT_2 = {
    "missing_go_to_left": ArrayKind(np.bool_, 1),
    "n_node_samples": ArrayKind(np.int64, 1),
    "weighted_n_node_samples": ArrayKind(np.float64, 1),
}

# The arrays of ``forest.npz``, by the format of the bundle; format 2 has its threshold in the manifest.
FOREST_ARRAYS = {1: _TREES | {"offset": ArrayKind(np.float64, 0)}, 2: _TREES | _OF_FORMAT_2}


@dataclass(frozen=True)
class ForestArrays:
    """The trees, one after the other; the children of a node are anywhere after it in its tree.

    Parameters
    ----------
    feature
        Number of the feature that a node tests, shape ``(n_nodes,)``, int32; 0 for a leaf.
    threshold
        A row goes left when its value is at most this, shape ``(n_nodes,)``, float64.
    children
        Left and right child of a node, shape ``(n_nodes, 2)``, int32; a leaf is its own child.
    path_length
        Path length of a row that ends in this leaf, shape ``(n_nodes,)``, float64: edges from the root, plus the
        average path length of a tree of the leaf's training rows. 0 for an inner node.
    roots
        Number of each tree's first node, shape ``(n_trees,)``, int32.
    path_length_scale
        The divisor of the sum of path lengths, shape ``()``, float64: trees times the average path length of
        a tree's sample. 0 for trees that were grown from a single row.
    n_features
        Numbers in a row, shape ``()``, int32.
    missing_go_to_left
        Whether a row goes left when its value is missing (NaN), shape ``(n_nodes,)``, bool; true for a leaf. None in a
        bundle of format 1: missing values then go left.
    n_node_samples
        Number of training rows of the tree that reached a node, shape ``(n_nodes,)``, int64, at least 1: a row that was
        drawn several times counts once. None in a bundle of format 1.
    weighted_n_node_samples
        The same with weights, shape ``(n_nodes,)``, float64, above 0: with bootstrap, a row counts as often as it was
        drawn. None in a bundle of format 1.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    children: NDArray[np.int32]
    path_length: NDArray[np.float64]
    roots: NDArray[np.int32]
    path_length_scale: NDArray[np.float64]
    n_features: NDArray[np.int32]
    missing_go_to_left: NDArray[np.bool_] | None = None
    n_node_samples: NDArray[np.int64] | None = None
    weighted_n_node_samples: NDArray[np.float64] | None = None

    def as_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that there are by name, in the order in which they are written."""
        arrays = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: array for name, array in arrays.items() if array is not None}

    def check(self) -> None:
        """Check that the arrays are trees in which every row ends in a leaf, with a score in [-1, 0].

        The kernels trust what was checked here.

        Raises
        ------
        InvalidBundle
            If the arrays do not describe a forest.
        """
        self._check_types()
        n_nodes, n_features = len(self.feature), int(self.n_features)
        if not n_nodes or not len(self.roots):
            raise InvalidBundle("The forest has no trees.")
        if len(self.roots) > MAX_TREES:
            raise InvalidBundle(f"The forest has {len(self.roots):,} trees, more than {MAX_TREES:,}.")
        if self.children.shape != (n_nodes, 2) or not len(self.threshold) == len(self.path_length) == n_nodes:
            raise InvalidBundle("The forest's arrays have different lengths.")
        self._check_trees()
        if not 1 <= n_features <= MAX_FEATURES:
            raise InvalidBundle(
                f"The forest takes {count_of(n_features, 'feature')}, possible are 1 to {MAX_FEATURES}."
            )
        if (self.feature < 0).any() or (self.feature >= n_features).any():
            raise InvalidBundle("The forest tests a feature that rows do not have.")
        self._check_numbers()
        self._check_samples()

    def _check_types(self) -> None:
        """Check types and numbers of axes, which a file guarantees and a caller does not."""
        for name, array in self.as_dict().items():
            kind = (_TREES | _OF_FORMAT_2)[name]
            if np.asarray(array).dtype != np.dtype(kind.dtype) or np.ndim(array) != kind.n_axes:
                raise InvalidBundle(f"The forest's {name} is not {np.dtype(kind.dtype)} with {kind.n_axes} axes.")

    def _check_trees(self) -> None:
        """Check that the nodes form trees: a node is either a root or the child of one earlier node."""
        n_nodes = len(self.feature)
        is_inner = ~self.is_leaf()
        goes_forward = (self.children > np.arange(n_nodes)[:, None]).all(axis=1)
        if (is_inner & ~goes_forward).any() or (self.children >= n_nodes).any():
            raise InvalidBundle("A tree of the forest does not end in leaves.")
        if (self.roots < 0).any() or (self.roots >= n_nodes).any():
            raise InvalidBundle("A tree of the forest starts outside of it.")
        # With shared nodes, walking level by level would take twice as long for each level.
        times_reached = np.bincount(self.children[is_inner].reshape(-1), minlength=n_nodes)
        times_reached += np.bincount(self.roots, minlength=n_nodes)
        if (times_reached != 1).any():
            raise InvalidBundle(
                f"{int((times_reached != 1).sum()):,} nodes of the forest do not belong to exactly one place in a tree."
            )
        level = self.roots
        for _ in range(MAX_LEVELS + 1):
            level = self.children[level[is_inner[level]]].reshape(-1)
            if not level.size:
                return
        raise InvalidBundle(f"A tree of the forest has more than {MAX_LEVELS} levels below its root.")

    def _check_numbers(self) -> None:
        """Check that the numbers are finite, and that no score leaves [-1, 0]."""
        if not np.isfinite(self.threshold).all() or not np.isfinite(self.path_length).all():
            raise InvalidBundle("The forest holds numbers that are not finite.")
        if (self.path_length < 0).any() or (self.path_length > MAX_PATH_LENGTH).any():
            raise InvalidBundle(f"The forest has path lengths outside of 0 to {MAX_PATH_LENGTH:g}.")
        # The average path length of a tree of two rows is 1, and grows with more rows.
        scale = float(self.path_length_scale)
        if scale != 0 and not 1 <= scale <= len(self.roots) * MAX_PATH_LENGTH:
            raise InvalidBundle(f"The forest divides path lengths by {scale:g}, which no number of rows gives.")

    def _check_samples(self) -> None:
        """Check missing values' directions, and that each inner node has as many rows as its children together."""
        if self.missing_go_to_left is not None and len(self.missing_go_to_left) != len(self.feature):
            raise InvalidBundle("The forest's arrays have different lengths.")
        inner = np.flatnonzero(~self.is_leaf())
        rows, weights = self.n_node_samples, self.weighted_n_node_samples
        for name, counts, tolerance in (("rows", rows, 0.0), ("weights of rows", weights, _WEIGHT_TOLERANCE)):
            if counts is None:
                continue
            if len(counts) != len(self.feature):
                raise InvalidBundle("The forest's arrays have different lengths.")
            if not ((counts > 0) & (counts <= MAX_TRAINING_ROWS)).all():
                raise InvalidBundle(f"A node of the forest has no {name}, or more than {MAX_TRAINING_ROWS:,}.")
            of_children = counts[self.children[inner]].sum(axis=1)
            if not np.allclose(of_children, counts[inner], rtol=tolerance, atol=0):
                raise InvalidBundle(f"A node of the forest has other {name} than its children together.")

    def never_reached(self) -> float:
        """Return a sum of path lengths that is greater than any row's, for a threshold that flags every row."""
        # Twice the greatest possible sum, so that no rounding reaches it; any larger threshold means the same.
        return 2 * MAX_PATH_LENGTH * len(self.roots)

    def is_leaf(self) -> NDArray[np.bool_]:
        """Return which nodes are leaves, shape ``(n_nodes,)``."""
        leaves: NDArray[np.bool_] = (self.children == np.arange(len(self.feature))[:, None]).all(axis=1)
        return leaves

    def levels(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the nodes of all trees with the numbers of their trees, level by level; siblings follow each other."""
        is_leaf, levels = self.is_leaf(), []
        level, tree = self.roots.astype(np.int64), np.arange(len(self.roots))
        while level.size:
            levels.append((level, tree))
            inner = ~is_leaf[level]
            level, tree = self.children[level[inner]].reshape(-1).astype(np.int64), np.repeat(tree[inner], 2)
        return levels

    def missing_go_to_right(self) -> NDArray[np.bool_]:
        """Return which nodes send missing values to the right, shape ``(n_nodes,)``; never a leaf, where walks end."""
        if self.missing_go_to_left is None:
            return np.zeros(len(self.feature), np.bool_)
        return ~self.missing_go_to_left & ~self.is_leaf()


def round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that is not above each threshold: no float32 lies between the two."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > thresholds, below, nearest)
