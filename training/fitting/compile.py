"""Compiling a fitted scikit-learn forest into the plain arrays that the service scores with.

The compiled forest is compared with scikit-learn on training rows. Some of these go into the bundle as golden rows,
with which the service repeats the comparison.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.errors import InvalidForest
from app.model.encoding import Encoding
from app.model.forest import INLIER, OUTLIER, SCORE_TOLERANCE, Forest, Threshold, to_scores
from app.model.forest_arrays import ForestArrays
from app.model.schema import MAX_FEATURES
from training.fitting.evaluate import Evaluation

# The child of a leaf in scikit-learn.
_NO_CHILD = -1

# Enough to distinguish forests, few enough to be scored each time a bundle is opened.
GOLDEN_ROWS = 32

# About a third each: the most abnormal rows, typical ones, and (what is left) those nearest to the threshold.
_LOWEST, _TYPICAL = 10, 11

# scikit-learn would need over a minute for more rows; of more, every k-th is compared.
MAX_COMPARED_ROWS = 1_000_000


def compile_forest(
    estimator: object,
    rows: NDArray[np.floating] | None = None,
    encoding: Encoding | None = None,
    more_sums: Sequence[float] | NDArray[np.float64] = (),
) -> Forest:
    """Compile a fitted Isolation Forest.

    Only public attributes are required, so that estimators of several scikit-learn releases can be compiled.

    Parameters
    ----------
    estimator
        A fitted ``IsolationForest``.
    rows
        Training rows, shape ``(n_rows, n_features)``, all of which get scikit-learn's labels; without them, labels of
        rows within rounding of the threshold depend on this machine's power function being monotonic.
    encoding
        Makes the forest's features of columns; the forest then takes columns.
    more_sums
        Path-length sums of other rows that get scikit-learn's labels too, shape ``(n_sums,)``.

    Returns
    -------
    A forest whose path lengths equal scikit-learn's to the last bit.

    Raises
    ------
    InvalidForest
        If it is something else, is not fitted, or has more than 256 features.

    Examples
    --------
    >>> rows = np.array([[0.0], [0.1], [0.2], [9.0]], np.float32)
    >>> estimator = IsolationForest(n_estimators=10, random_state=1).fit(rows)
    >>> scores = compile_forest(estimator).score(rows)
    >>> bool((scores == estimator.score_samples(rows)).all())
    True
    """
    if not isinstance(estimator, IsolationForest):
        raise InvalidForest(
            f"This is a {type(estimator).__name__}; only an IsolationForest can be served, alone or at the end of a "
            "Pipeline."
        )
    if not hasattr(estimator, "offset_") or not getattr(estimator, "estimators_", None):
        raise InvalidForest("This IsolationForest is not fitted; call its fit() before it is stored.")
    n_features = int(estimator.n_features_in_)
    if n_features > MAX_FEATURES:
        raise InvalidForest(f"This forest takes {n_features} features; at most {MAX_FEATURES} can be served.")
    trees = [tree.tree_ for tree in estimator.estimators_]
    sizes = [tree.node_count for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    n_all_rows_paths = _average_path_length(np.array([estimator.max_samples_]))[0]
    averages = _find_average_path_lengths(estimator, trees)
    arrays = ForestArrays(
        feature=np.concatenate(
            [_map_features(tree, seen) for tree, seen in zip(trees, estimator.estimators_features_, strict=True)]
        ),
        threshold=np.concatenate([np.where(_is_leaf(tree), 0.0, tree.threshold) for tree in trees]),
        children=np.concatenate([_link_children(tree, root) for tree, root in zip(trees, roots, strict=True)]),
        path_length=np.concatenate([_path_lengths(*pair) for pair in zip(trees, averages, strict=True)]),
        roots=roots.astype(np.int32),
        path_length_scale=np.asarray(len(trees) * n_all_rows_paths),
        n_features=np.asarray(n_features, dtype=np.int32),
        missing_go_to_left=np.concatenate([_is_leaf(tree) | (tree.missing_go_to_left == 1) for tree in trees]),
        n_node_samples=np.concatenate([tree.n_node_samples for tree in trees]).astype(np.int64),
        weighted_n_node_samples=np.concatenate([tree.weighted_n_node_samples for tree in trees]).astype(np.float64),
    )
    offset = float(estimator.offset_)
    forest = Forest(arrays, Threshold.find(offset, arrays))
    if rows is not None:
        sums = np.concatenate([forest.sum_path_lengths(rows), more_sums])
        labels = np.where(to_scores(sums, float(arrays.path_length_scale)) < offset, OUTLIER, INLIER)
        forest = Forest(arrays, Threshold.find(offset, arrays, sums, labels))
    return forest if encoding is None else Forest(arrays, forest.threshold, encoding=encoding)


def check_agreement(estimator: Any, rows: Any, compiled: Evaluation) -> None:
    """Compare the compiled forest's answers with scikit-learn's, on at most 1,000,000 training rows.

    Parameters
    ----------
    estimator
        The fitted estimator that was compiled, or the pipeline that was translated.
    rows
        Training rows as it takes them: an array or a table.
    compiled
        The compiled forest's answers to ``rows``.

    Raises
    ------
    InvalidForest
        If a label differs, or a score by more than 1e-12.
    """
    every = slice(None, None, -(-len(rows) // MAX_COMPARED_ROWS))
    forest = estimator
    while not isinstance(forest, IsolationForest):  # the last step of a pipeline may be one
        forest = forest[-1]
    # Scores and labels would be two walks through all trees. What predict makes of this is compared on the golden rows.
    with _explaining_refusals():
        decisions = estimator.decision_function(rows[every])
    scores, labels = decisions + forest.offset_, np.where(decisions < 0, OUTLIER, INLIER)
    differing = (labels != compiled.labels[every]) | (np.abs(scores - compiled.scores[every]) > SCORE_TOLERANCE)
    if differing.any():
        raise InvalidForest(
            f"Compiled forest and scikit-learn differ on {int(differing.sum())} of {len(scores)} rows, so "
            "no model was written; fit the forest again with the scikit-learn release installed here."
        )


def choose_golden_rows(
    estimator: IsolationForest,
    features: NDArray[np.float64],
    compiled: Evaluation,
    offset: float,
    rows: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Choose up to 32 training rows with different scores, and record scikit-learn's answers to them.

    Parameters
    ----------
    estimator, features
        The estimator, and the training rows as it takes them.
    compiled, offset
        The compiled forest's answers, and the threshold.
    rows
        The training rows as the service takes them, if these differ.

    Returns
    -------
    Strict JSON values: ``rows`` (null for a missing value), ``anomaly_score`` (the lower, the more abnormal),
    ``is_inlier`` (1 or -1).
    """
    # Rows with equal scores prove the same, so one of each is enough.
    unique_scores, positions = np.unique(compiled.scores, return_index=True)
    by_distance = np.argsort(np.abs(unique_scores - offset), kind="stable")
    typical = np.linspace(0, len(positions) - 1, _TYPICAL).astype(int)
    ranked = [*range(len(positions))[:_LOWEST], *typical.tolist(), *by_distance.tolist()]
    chosen = positions[list(dict.fromkeys(ranked))[:GOLDEN_ROWS]]
    scores, labels = _predict_with_scikit_learn(estimator, features[chosen])
    stored = features if rows is None else rows
    # JSON has no NaN.
    as_json = [[None if math.isnan(value) else value for value in row] for row in stored[chosen].tolist()]
    return {"rows": as_json, "anomaly_score": scores.tolist(), "is_inlier": labels.tolist()}


def _is_leaf(tree: Any) -> NDArray[np.bool_]:
    """Return which nodes of a tree are leaves, shape ``(n_nodes,)``."""
    return np.asarray(tree.children_left == _NO_CHILD)


def _map_features(tree: Any, seen: NDArray[np.int64]) -> NDArray[np.int32]:
    """Map the tested features to columns of the rows; ``seen`` are the columns that the tree was grown on."""
    return np.asarray(seen)[np.where(_is_leaf(tree), 0, tree.feature)].astype(np.int32)


def _link_children(tree: Any, root: int) -> NDArray[np.int32]:
    """Number the children of each node within the whole forest; a leaf is its own child."""
    children = np.column_stack([tree.children_left, tree.children_right])
    own_number = np.arange(tree.node_count)[:, None]
    return (root + np.where(children == _NO_CHILD, own_number, children)).astype(np.int32)


def _find_average_path_lengths(estimator: IsolationForest, trees: list[Any]) -> list[NDArray[np.float64]]:
    """Return the average path length below each node, by tree."""
    # Kept from fitting: another machine's logarithm may round differently. Some releases lack them.
    kept = getattr(estimator, "_average_path_length_per_tree", ())
    if len(kept) == len(trees):
        averages = [np.asarray(of_tree, np.float64) for of_tree in kept]
        if all(of_tree.shape == (tree.node_count,) for of_tree, tree in zip(averages, trees, strict=True)):
            return averages
    return [_average_path_length(tree.n_node_samples) for tree in trees]


def _path_lengths(tree: Any, averages: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the path length of each leaf; 0 for inner nodes."""
    # In scikit-learn's order of operations, counting nodes and not edges: another order would round differently.
    lengths = _count_nodes_to_root(tree) + averages - 1.0
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
    """Compute the average path length of a tree over ``n_rows`` rows: equation 1 of the Isolation Forest paper."""
    lengths = np.zeros(len(n_rows))
    lengths[n_rows == 2] = 1.0
    n = n_rows[n_rows > 2]
    lengths[n_rows > 2] = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return lengths


def _predict_with_scikit_learn(estimator: Any, rows: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Score and label rows with scikit-learn."""
    with _explaining_refusals():
        return estimator.score_samples(rows), estimator.predict(rows)


@contextmanager
def _explaining_refusals() -> Iterator[None]:
    """Turn what scikit-learn raises when it scores into a refusal."""
    with warnings.catch_warnings():
        # An imported estimator may have column names; the columns were matched by name when they were read. A pipeline
        # may warn of levels that it does not know, and of logarithms of 0.
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        try:
            yield
        except AttributeError as error:
            raise InvalidForest(
                f"The scikit-learn release installed here cannot use this forest ({error}); fit it again."
            ) from None
        except ValueError as error:
            raise InvalidForest(f"scikit-learn refuses rows of the training file: {error}") from None
