"""From a fitted scikit-learn estimator to the plain arrays that the service walks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.errors import InvalidForest
from app.model.forest_arrays import ForestArrays
from app.model.schema import MAX_FEATURES

# What scikit-learn writes as the child of a leaf.
_NO_CHILD = -1


def compile_forest(estimator: object) -> ForestArrays:
    """Compile a fitted Isolation Forest.

    Only public attributes are read, so that estimators of several scikit-learn releases can be compiled.

    Parameters
    ----------
    estimator
        A fitted ``IsolationForest``.

    Returns
    -------
    Arrays whose path lengths equal scikit-learn's to the last bit.

    Raises
    ------
    InvalidForest
        If it is something else, is not fitted, or takes more than 256 features.

    Examples
    --------
    >>> from app.model.forest import Forest
    >>> rows = np.array([[0.0], [0.1], [0.2], [9.0]], np.float32)
    >>> estimator = IsolationForest(n_estimators=10, random_state=1).fit(rows)
    >>> scores = Forest(compile_forest(estimator)).score(rows)
    >>> bool((scores == estimator.score_samples(rows)).all())
    True
    """
    if not isinstance(estimator, IsolationForest):
        raise InvalidForest(f"This is a {type(estimator).__name__}; only an IsolationForest can be served.")
    if not hasattr(estimator, "offset_") or not getattr(estimator, "estimators_", None):
        raise InvalidForest("This IsolationForest is not fitted; call its fit() before it is stored.")
    n_features = int(estimator.n_features_in_)
    if n_features > MAX_FEATURES:
        raise InvalidForest(f"This forest takes {n_features} features; at most {MAX_FEATURES} can be served.")
    trees = [tree.tree_ for tree in estimator.estimators_]
    sizes = [tree.node_count for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    n_all_rows_paths = _average_path_length(np.array([estimator.max_samples_]))[0]
    return ForestArrays(
        feature=np.concatenate(
            [_map_features(tree, seen) for tree, seen in zip(trees, estimator.estimators_features_, strict=True)]
        ),
        threshold=np.concatenate([np.where(_is_leaf(tree), 0.0, tree.threshold) for tree in trees]),
        children=np.concatenate([_link_children(tree, root) for tree, root in zip(trees, roots, strict=True)]),
        path_length=np.concatenate([_path_lengths(tree) for tree in trees]),
        roots=roots.astype(np.int32),
        path_length_scale=np.asarray(len(trees) * n_all_rows_paths),
        offset=np.asarray(float(estimator.offset_)),
        n_features=np.asarray(n_features, dtype=np.int32),
    )


def _is_leaf(tree: Any) -> NDArray[np.bool_]:
    """Tell a tree's leaves from its inner nodes, shape ``(n_nodes,)``."""
    return np.asarray(tree.children_left == _NO_CHILD)


def _map_features(tree: Any, seen: NDArray[np.int64]) -> NDArray[np.int32]:
    """Number the tested features as rows number them; ``seen`` are those that the tree was grown on."""
    return np.asarray(seen)[np.where(_is_leaf(tree), 0, tree.feature)].astype(np.int32)


def _link_children(tree: Any, root: int) -> NDArray[np.int32]:
    """Number both children of each node as in the whole forest; a leaf is its own child."""
    children = np.column_stack([tree.children_left, tree.children_right])
    own_number = np.arange(tree.node_count)[:, None]
    return (root + np.where(children == _NO_CHILD, own_number, children)).astype(np.int32)


def _path_lengths(tree: Any) -> NDArray[np.float64]:
    """Measure the path that ends in each leaf; 0 for inner nodes."""
    # Nodes, not edges, in this order: scikit-learn counts so, and another order would round otherwise.
    lengths = _count_nodes_to_root(tree) + _average_path_length(tree.n_node_samples) - 1.0
    return np.where(_is_leaf(tree), lengths, 0.0)


def _count_nodes_to_root(tree: Any) -> NDArray[np.float64]:
    """Count the nodes from the root to each node, both included."""
    depths = np.ones(tree.node_count)
    level = np.array([0])
    while (level := level[tree.children_left[level] != _NO_CHILD]).size:
        children = np.column_stack([tree.children_left[level], tree.children_right[level]])
        depths[children] = depths[level][:, None] + 1
        level = children.reshape(-1)
    return depths


def _average_path_length(n_rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average the path length of a tree over ``n_rows`` rows, equation 1 of the Isolation Forest paper."""
    lengths = np.zeros(len(n_rows))
    lengths[n_rows == 2] = 1.0
    n = n_rows[n_rows > 2]
    lengths[n_rows > 2] = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return lengths
