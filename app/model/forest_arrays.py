"""The trees of an Isolation Forest as plain arrays: the contents of ``forest.npz``."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidBundle


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
    offset
        Rows with a score below this are outliers, shape ``()``, float64, in [-1, 0].
    n_features
        Numbers in a row, shape ``()``, int32.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    children: NDArray[np.int32]
    path_length: NDArray[np.float64]
    roots: NDArray[np.int32]
    path_length_scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    n_features: NDArray[np.int32]

    def as_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name, in the order in which they are written."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def check(self) -> None:
        """Check that every row ends in a leaf of every tree.

        Raises
        ------
        InvalidBundle
            If the arrays do not describe a forest.
        """
        n_nodes, own_number = len(self.feature), np.arange(len(self.feature))
        if not n_nodes or not len(self.roots):
            raise InvalidBundle("The forest has no trees.")
        if self.children.shape != (n_nodes, 2) or not len(self.threshold) == len(self.path_length) == n_nodes:
            raise InvalidBundle("The forest's arrays have different lengths.")
        goes_forward = (self.children > own_number[:, None]).all(axis=1)
        if not (self.is_leaf() | goes_forward).all() or (self.children >= n_nodes).any():
            raise InvalidBundle("A tree of the forest does not end in leaves.")
        if (self.roots < 0).any() or (self.roots >= n_nodes).any():
            raise InvalidBundle("A tree of the forest starts outside of it.")
        if (self.feature < 0).any() or (self.feature >= max(int(self.n_features), 1)).any():
            raise InvalidBundle("The forest tests a feature that rows do not have.")
        if not np.isfinite(self.threshold).all() or not np.isfinite(self.path_length).all():
            raise InvalidBundle("The forest holds numbers that are not finite.")

    def is_leaf(self) -> NDArray[np.bool_]:
        """Return which nodes are leaves, shape ``(n_nodes,)``."""
        leaves: NDArray[np.bool_] = (self.children == np.arange(len(self.feature))[:, None]).all(axis=1)
        return leaves
