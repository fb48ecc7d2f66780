"""Score the training rows with trees that did not see them, for p-values.

A new row is scored by as many trees as the forest has, none of which saw it. A training row was seen by some of the
trees, and a mean over fewer varies more. So more trees are grown, for these scores only, until every row has been
scored by as many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.model.forest import Forest
from app.model.out_of_bag import MAX_SCORES, MIN_ROWS, OutOfBagScores
from training.fitting.compile import compile_forest

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

# scikit-learn lists all trees' rows at once: these need 800 MB.
_MAX_DRAWN_ROWS = 10**8

# Of hardly more rows than a tree draws, most trees see most rows. Rows that then lack trees vary a little more.
_MAX_TIMES_AS_MANY = 10

# Standard deviations of the number of trees that do not see a row: one row in 30,000 needs more.
_SPARE = 4


def score_out_of_bag(estimator: IsolationForest, forest: Forest, rows: NDArray[np.float64]) -> OutOfBagScores | None:
    """Score each row with trees that did not see it, as many as the forest has.

    Parameters
    ----------
    estimator
        The fitted estimator.
    forest
        The compiled estimator.
    rows
        The rows that it was fitted on, in the same order, shape ``(n_rows, n_features)``.

    Returns
    -------
    Distribution of the scores of the rows that at least one tree did not see. None if they are fewer than 200, if the
    trees were not grown from these rows (which their counts of rows show), or if they drew over 100,000,000 rows.

    Examples
    --------
    >>> from training.fitting.fit import ForestParameters, fit
    >>> rows = np.random.default_rng(1).normal(size=(1000, 2))
    >>> estimator = fit(rows, ForestParameters(n_estimators=10))
    >>> int(score_out_of_bag(estimator, compile_forest(estimator), rows).counts.sum())
    1000
    >>> score_out_of_bag(estimator, compile_forest(estimator), rows[::-1]) is None
    True
    """
    arrays, n_trees = forest.arrays, len(estimator.estimators_)
    scale = float(arrays.path_length_scale)
    if not scale or len(rows) < MIN_ROWS or n_trees * int(estimator.max_samples_) > _MAX_DRAWN_ROWS:
        return None
    single_precision_rows = np.ascontiguousarray(rows, np.float32)
    sums, n_unseen_by = forest.sum_path_lengths(single_precision_rows), np.full(len(rows), n_trees)
    # Other releases of scikit-learn may lack what the rows of a tree are derived from.
    if len(getattr(estimator, "estimators_samples_", ())) != n_trees:
        return None
    for tree in _trees_of(estimator, forest):
        if tree.seen[-1] >= len(rows):
            return None
        leaves = tree.find_leaves(single_precision_rows, tree.seen)
        if not tree.has_counts_of(leaves):
            return None
        sums[tree.seen] -= tree.path_lengths(leaves)
        n_unseen_by[tree.seen] -= 1
    if (more := grow_more_trees(estimator, single_precision_rows)) is not None:
        for tree in _trees_of(more, compile_forest(more)):
            needs_more = n_unseen_by < n_trees
            needs_more[tree.seen] = False
            chosen = np.flatnonzero(needs_more)
            if chosen.size:
                sums[chosen] += tree.path_lengths(tree.find_leaves(single_precision_rows, chosen))
                n_unseen_by[chosen] += 1
    is_scored = n_unseen_by > 0
    if is_scored.sum() < MIN_ROWS:
        return None
    scales = scale * (n_unseen_by[is_scored] / n_trees)
    # The difference of two sums may round to slightly below zero.
    scores = -np.power(2, np.maximum(sums[is_scored], 0) / -scales)
    return _summarise(*np.unique(scores, return_counts=True))


def grow_more_trees(estimator: IsolationForest, rows: NDArray[np.float32]) -> IsolationForest | None:
    """Grow as many more trees as almost every row needs to be unseen by as many as the forest has.

    Parameters
    ----------
    estimator
        The fitted estimator.
    rows
        The rows that it was fitted on, shape ``(n_rows, n_features)``.

    Returns
    -------
    A forest of other trees with the same parameters; None if every tree sees every row.
    """
    n_trees, n_drawn = len(estimator.estimators_), int(estimator.max_samples_)
    share = n_drawn / len(rows)
    unseen = (1 - 1 / len(rows)) ** n_drawn if estimator.bootstrap else 1 - share
    if unseen <= 0:
        return None
    lacking = n_trees * (1 - unseen) / unseen + _SPARE * math.sqrt(n_trees * (1 - unseen)) / unseen
    most = min(_MAX_TIMES_AS_MANY * n_trees, _MAX_DRAWN_ROWS // n_drawn)
    seed = estimator.random_state if isinstance(estimator.random_state, int) else 0
    # The next seed, in the 32 bits of NumPy's legacy generator: with the same one, the same trees would grow again.
    parameters = estimator.get_params() | {"random_state": (seed + 1) % 2**32, "warm_start": False}
    parameters |= {"n_estimators": min(math.ceil(lacking), most), "max_samples": n_drawn, "contamination": "auto"}
    return type(estimator)(**parameters).fit(rows)


@dataclass(frozen=True)
class _Tree:
    """A fitted tree: the path lengths of its nodes, its features, and the rows that it saw with their draws."""

    fitted: Any
    lengths: NDArray[np.float64]
    features: NDArray[np.int64]
    seen: NDArray[np.int64]
    n_draws: NDArray[np.int64]

    def find_leaves(self, rows: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the leaves of the chosen rows."""
        leaves: NDArray[np.int64] = self.fitted.apply(rows[chosen][:, self.features])
        return leaves

    def path_lengths(self, leaves: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the path lengths of leaves."""
        return self.lengths[leaves]

    def has_counts_of(self, leaves: NDArray[np.int64]) -> bool:
        """Return whether the leaves have as many of the rows that the tree saw as it counted when it was grown."""
        tree = self.fitted
        in_leaf = tree.children_left == tree.children_right
        # With bootstrap, scikit-learn releases differ in whether a row that was drawn twice counts twice.
        return any(
            np.array_equal(np.bincount(leaves, weights, tree.node_count)[in_leaf], tree.n_node_samples[in_leaf])
            for weights in (None, self.n_draws)
        )


def _trees_of(estimator: IsolationForest, forest: Forest) -> Iterator[_Tree]:
    """Iterate over the trees of a fitted estimator and its compiled forest."""
    path_length = forest.arrays.path_length
    trees = zip(
        estimator.estimators_,
        estimator.estimators_features_,
        estimator.estimators_samples_,
        forest.arrays.roots,
        strict=True,
    )
    for tree, features, drawn, root in trees:
        seen, n_draws = np.unique(drawn, return_counts=True)
        lengths = path_length[root : root + tree.tree_.node_count]
        yield _Tree(tree.tree_, lengths, np.asarray(features), seen, n_draws)


def _summarise(scores: NDArray[np.float64], counts: NDArray[np.int64]) -> OutOfBagScores:
    """Keep the lower half of the allowed number of scores exactly, and the rest as groups of equally many rows.

    Small p-values, which decide, stay exact. A group has its lowest score, so that no p-value gets too small.

    Examples
    --------
    >>> kept = _summarise(np.linspace(-1, 0, 50_001), np.ones(50_001, int))
    >>> len(kept.scores), int(kept.counts.sum()), kept.counts[:2].tolist(), kept.counts[-2:].tolist()
    (20000, 50001, [1, 1], [4, 4])
    """
    if len(scores) > MAX_SCORES:
        n_exact = MAX_SCORES // 2
        n_groups = MAX_SCORES - n_exact
        n_before = np.cumsum(counts[n_exact:]) - counts[n_exact:]
        groups = n_before * n_groups // counts[n_exact:].sum()
        starts = np.concatenate([np.arange(n_exact), n_exact + np.unique(groups, return_index=True)[1]])
        scores, counts = scores[starts], np.add.reduceat(counts, starts)
    return OutOfBagScores(scores, counts)
