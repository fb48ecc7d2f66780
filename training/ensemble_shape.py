"""What the trees of a fitted forest look like: how deep, how many leaves, which features they split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import IsolationForest


@dataclass(frozen=True)
class EnsembleShape:
    """The size of a forest.

    Parameters
    ----------
    n_trees, n_leaves
        Of all trees together.
    max_depth
        Edges from the root to the deepest leaf.
    split_shares
        For each feature the share of all splits that test it, in [0, 1], the largest first; they add up to 1.
        Empty if no tree splits anything, which is so where all rows are equal.

    Examples
    --------
    Of two features only one varies:

    >>> rows = np.array([[0.0, 7.0], [1.0, 7.0], [2.0, 7.0]])
    >>> forest = IsolationForest(n_estimators=2, random_state=1).fit(rows)
    >>> EnsembleShape.of(forest, ("spent", "constant"))
    EnsembleShape(n_trees=2, n_leaves=6, max_depth=2, split_shares={'spent': 1.0, 'constant': 0.0})
    """

    n_trees: int
    n_leaves: int
    max_depth: int
    split_shares: dict[str, float]

    @classmethod
    def of(cls, estimator: IsolationForest, names: Sequence[str]) -> EnsembleShape:
        """Measure a fitted estimator; ``names`` are those of its features, in their order."""
        trees = [tree.tree_ for tree in estimator.estimators_]
        splits = np.zeros(len(names), dtype=np.int64)
        for tree, seen in zip(trees, estimator.estimators_features_, strict=True):
            # A leaf tests the feature -2.
            splits += np.bincount(np.asarray(seen)[tree.feature[tree.feature >= 0]], minlength=len(names))
        # A stable sort: of features that are split equally often, the first columns come first.
        order = np.argsort(-splits, kind="stable").tolist() if splits.any() else []
        return cls(
            n_trees=len(trees),
            n_leaves=sum(int(tree.n_leaves) for tree in trees),
            max_depth=max(int(tree.max_depth) for tree in trees),
            split_shares={names[feature]: float(splits[feature] / splits.sum()) for feature in order},
        )
