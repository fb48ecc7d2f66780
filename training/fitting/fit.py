"""Fit an Isolation Forest: check its parameters, then grow its trees in batches, so that progress can be shown.

Also score the rows that it was fitted on with the trees that did not see them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.model.forest import Forest
from app.model.out_of_bag import MAX_SCORES, MIN_ROWS, OutOfBagScores
from training.errors import BadArgument

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

# Enough for a bar that moves; in each batch, scikit-learn walks over all existing trees.
_BATCHES = 20

# The forest's sizes with --estimators auto: each costs as much as all before it together would, so that at most half of
# the work is in vain. Beyond 2,000 trees, a row costs more than most callers want to wait for.
AUTO_TREES = (100, 200, 300, 500, 700, 1000, 1400, 2000)

# Of the rows that either half flags. Halves of 1,000 trees agree that well on the sample of credits.
_ENOUGH_AGREEMENT = 0.95

# scikit-learn seeds NumPy's legacy generator, which takes 32 bits.
_MAX_SEED = 2**32 - 1

# scikit-learn lists all trees' rows at once: these need 800 MB.
_MAX_DRAWN_ROWS = 10**8


@dataclass(frozen=True)
class ForestParameters:
    """The parameters of a forest, with the names and meanings of scikit-learn's ``IsolationForest``.

    Parameters
    ----------
    contamination
        Share of training rows to flag, in (0, 0.5]; "auto" flags scores below -0.5, as in the original paper.
    n_estimators
        Trees, at least 1.
    max_samples
        Training rows that each tree sees, at least 1; "auto" is 256, or all rows if there are fewer.
    max_features
        Share of the features that each tree sees, in (0, 1].
    bootstrap
        Whether a tree may draw the same row more than once.
    random_state
        Seed: the same seed and rows give the same forest.

    Raises
    ------
    BadArgument
        If a value is out of its range; the message names the option.

    Examples
    --------
    >>> ForestParameters(contamination=0.7)
    Traceback (most recent call last):
    training.errors.BadArgument: --contamination 0.7 is out of range; use auto or a number in (0, 0.5].
    """

    contamination: float | Literal["auto"] = "auto"
    n_estimators: int = 100
    max_samples: int | Literal["auto"] = "auto"
    max_features: float = 1.0
    bootstrap: bool = False
    # The seed of the results in the documentation.
    random_state: int = 16

    def __post_init__(self) -> None:
        if self.contamination != "auto" and not 0 < self.contamination <= 0.5:
            raise BadArgument(
                f"--contamination {self.contamination} is out of range; use auto or a number in (0, 0.5]."
            )
        if self.n_estimators < 1:
            raise BadArgument(f"--estimators {self.n_estimators} is not a number of trees; use at least 1.")
        if self.max_samples != "auto" and self.max_samples < 1:
            raise BadArgument(f"--max-samples {self.max_samples} is not a number of rows; use auto or at least 1.")
        if not 0 < self.max_features <= 1:
            raise BadArgument(f"--max-features {self.max_features} is out of range; use a number in (0, 1].")
        if not 0 <= self.random_state <= _MAX_SEED:
            raise BadArgument(f"--seed {self.random_state} is out of range; use 0 to {_MAX_SEED}.")

    def check_rows(self, n_rows: int) -> None:
        """Refuse a sample that is larger than the training data.

        Raises
        ------
        BadArgument
            If ``max_samples`` is more than ``n_rows``.
        """
        if self.max_samples != "auto" and self.max_samples > n_rows:
            raise BadArgument(
                f"--max-samples {self.max_samples} is more than the {n_rows} training rows; use auto or less."
            )


def fit(
    rows: NDArray[np.float64],
    parameters: ForestParameters,
    on_progress: Callable[[int], None] = lambda n_trees: None,
) -> IsolationForest:
    """Fit a forest on training rows.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``, finite, within float32.
    parameters
        Parameters of the forest.
    on_progress
        Called after each batch with the number of fitted trees.

    Returns
    -------
    The estimator, identical to one fitted by a single call of ``fit``.

    Raises
    ------
    BadArgument
        If the parameters do not fit the number of rows.
    """
    # Imported here: the command line reads the defaults above, and must not wait a second for scikit-learn.
    from sklearn.ensemble import IsolationForest

    parameters.check_rows(len(rows))
    # An array, not a table: an estimator with column names warns if it scores rows without them. scikit-learn would
    # convert to float32 in each batch.
    single_precision_rows = np.asarray(rows, dtype=np.float32)
    wanted = asdict(parameters)
    forest = IsolationForest(**wanted | {"contamination": "auto", "warm_start": True})
    seeds = []
    for n_trees in _plan_batches(parameters.n_estimators):
        forest.set_params(n_estimators=n_trees)
        if n_trees == parameters.n_estimators:
            # To find the offset, all rows are scored, so only the last batch gets the contamination.
            forest.set_params(contamination=parameters.contamination)
        forest.fit(single_precision_rows)
        seeds.append(forest._seeds)
        on_progress(n_trees)
    # scikit-learn stores the seeds of the last batch only, and derives `estimators_samples_` from them.
    forest._seeds = np.concatenate(seeds)
    return forest.set_params(warm_start=False)


def fit_until_agreed(
    rows: NDArray[np.float64],
    parameters: ForestParameters,
    on_progress: Callable[[int], None] = lambda n_trees: None,
) -> tuple[IsolationForest, list[tuple[int, float | None]]]:
    """Grow a forest until two independent halves of its trees agree on 95 % of the flagged rows, or to 2,000 trees.

    Parameters are those of :func:`fit`; the number of trees among them is not used.

    Returns
    -------
    The estimator, identical to one fitted by a single call of ``fit`` with as many trees; and after each batch, the
    number of trees and the agreement, in [0, 1].
    """
    from sklearn.ensemble import IsolationForest

    from training.fitting.compile import compile_forest
    from training.fitting.evaluate import AUTO_THRESHOLD, measure_agreement

    parameters.check_rows(len(rows))
    single_precision_rows = np.asarray(rows, dtype=np.float32)
    forest = IsolationForest(**asdict(parameters) | {"contamination": "auto", "warm_start": True})
    seeds, curve = [], []
    for n_trees in AUTO_TREES:
        forest.set_params(n_estimators=n_trees).fit(single_precision_rows)
        seeds.append(forest._seeds)
        on_progress(n_trees)
        compiled = compile_forest(forest)
        if parameters.contamination == "auto":
            n_flagged = int((compiled.score(single_precision_rows) < AUTO_THRESHOLD).sum())
        else:
            n_flagged = max(1, round(parameters.contamination * len(rows)))
        curve.append((n_trees, agreement := measure_agreement(compiled, rows, n_flagged)))
        if agreement is None or agreement >= _ENOUGH_AGREEMENT:
            break
    forest._seeds = np.concatenate(seeds)
    forest.set_params(warm_start=False, contamination=parameters.contamination)
    if parameters.contamination != "auto":
        forest.offset_ = np.percentile(forest.score_samples(single_precision_rows), 100.0 * parameters.contamination)
    return forest, curve


def _plan_batches(n_trees: int) -> list[int]:
    """Return the number of trees after each batch; the last is ``n_trees``."""
    step = max(1, n_trees // _BATCHES)
    return [*range(step, n_trees, step), n_trees]


def score_out_of_bag(estimator: IsolationForest, forest: Forest, rows: NDArray[np.float64]) -> OutOfBagScores | None:
    """Score each row with the trees that did not see it.

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
    >>> rows = np.random.default_rng(1).normal(size=(1000, 2))
    >>> estimator = fit(rows, ForestParameters(n_estimators=10))
    >>> from training.fitting.compile import compile_forest
    >>> int(score_out_of_bag(estimator, compile_forest(estimator), rows).counts.sum())
    1000
    >>> score_out_of_bag(estimator, compile_forest(estimator), rows[::-1]) is None
    True
    """
    arrays, n_trees = forest.arrays, len(estimator.estimators_)
    scale = float(arrays.path_length_scale)
    if not scale or len(rows) < MIN_ROWS or n_trees * int(estimator.max_samples_) > _MAX_DRAWN_ROWS:
        return None
    # Other releases of scikit-learn may lack what the list is derived from.
    drawn_by_tree = getattr(estimator, "estimators_samples_", ())
    if len(drawn_by_tree) != n_trees:
        return None
    single_precision_rows = np.ascontiguousarray(rows, np.float32)
    sums, n_unseen_by = forest.sum_path_lengths(single_precision_rows), np.full(len(rows), n_trees)
    trees = zip(estimator.estimators_, estimator.estimators_features_, drawn_by_tree, arrays.roots, strict=True)
    for tree, features, drawn, root in trees:
        seen, n_draws = np.unique(drawn, return_counts=True)
        if seen[-1] >= len(rows):
            return None
        leaves = tree.tree_.apply(single_precision_rows[seen][:, features])
        if not _are_counts_of(tree.tree_, leaves, n_draws):
            return None
        sums[seen] -= arrays.path_length[root + leaves]
        n_unseen_by[seen] -= 1
    is_scored = n_unseen_by > 0
    if is_scored.sum() < MIN_ROWS:
        return None
    scales = scale * (n_unseen_by[is_scored] / n_trees)
    # The difference of two sums may round to slightly below zero.
    scores = -np.power(2, np.maximum(sums[is_scored], 0) / -scales)
    return _summarise(*np.unique(scores, return_counts=True))


def _are_counts_of(tree: Any, leaves: NDArray[np.int64], n_draws: NDArray[np.int64]) -> bool:
    """Return whether a tree's leaves have as many rows as it counted when it was grown."""
    in_leaf = tree.children_left == tree.children_right
    # With bootstrap, scikit-learn releases differ in whether a row that was drawn twice counts twice.
    return any(
        np.array_equal(np.bincount(leaves, weights, tree.node_count)[in_leaf], tree.n_node_samples[in_leaf])
        for weights in (None, n_draws)
    )


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
