"""Evaluate a forest: its scores and labels, their agreement with true labels, and the size of its trees.

A person chooses the contamination from a table of how many rows others would flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from app.model.forest import OUTLIER, Forest

# Finer at the low end, where outliers are.
_QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Evaluation:
    """Scores and labels of a set of rows.

    Parameters
    ----------
    scores
        Shape ``(n_rows,)``, in [-1, 0]: the lower, the more abnormal.
    labels
        Shape ``(n_rows,)``: 1 inlier, -1 outlier.

    Examples
    --------
    >>> evaluation = Evaluation(np.array([-0.4, -0.4, -0.7, -0.5]), np.array([1, 1, -1, 1]))
    >>> evaluation.n_flagged, evaluation.inlier_share
    (1, 0.75)
    >>> evaluation.count_scores()
    (array([-0.7, -0.5, -0.4]), array([1, 1, 2]))
    """

    scores: NDArray[np.float64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def n_flagged(self) -> int:
        """Rows labelled outliers."""
        return int((self.labels == OUTLIER).sum())

    @property
    def inlier_share(self) -> float:
        """Share of rows labelled inliers, in [0, 1]."""
        return 1 - self.n_flagged / len(self)

    def count_scores(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the distinct scores, ascending, and the number of rows with each."""
        return np.unique(self.scores, return_counts=True)

    def as_figures(self) -> dict[str, Any]:
        """Summarise as strict JSON values."""
        quantiles = np.quantile(self.scores, _QUANTILES)
        return {
            "rows": len(self),
            "flagged_rows": self.n_flagged,
            "inlier_share": self.inlier_share,
            "score_quantiles": {f"{q:g}": float(score) for q, score in zip(_QUANTILES, quantiles, strict=True)},
        }


def evaluate(forest: Forest, rows: NDArray[np.float64]) -> Evaluation:
    """Score and label rows, shape ``(n_rows, n_features)``, with the compiled forest."""
    return Evaluation(*forest.score_and_label(rows))


# Names in tables; the keys are those of the manifest.
FIGURE_TITLES = {
    "outliers": "rows known to be outliers",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "precision_at_n": "precision at n",
}


def compare_with_labels(evaluation: Evaluation, is_outlier: NDArray[np.bool_]) -> dict[str, float | int | None]:
    """Compare a forest's answers with true labels; outliers are the positive class.

    Parameters
    ----------
    evaluation
        Scores and predicted labels.
    is_outlier
        True labels, shape ``(n_rows,)``.

    Returns
    -------
    Strict JSON values under the keys of ``FIGURE_TITLES``. ``outliers`` counts; the others lie in [0, 1], the higher
    the better. ROC AUC and average precision evaluate the order of the scores, independently of the threshold;
    precision, recall and F1 evaluate the predicted labels, and are 0 if nothing was flagged. All except the count are
    None if there are only outliers or only inliers.

    Examples
    --------
    The most abnormal row is an outlier, the second is not, the third is; the first alone was flagged.

    >>> evaluation = Evaluation(np.array([-0.8, -0.6, -0.5, -0.4]), np.array([-1, 1, 1, 1]))
    >>> figures = compare_with_labels(evaluation, np.array([True, False, True, False]))
    >>> {name: round(figure, 3) for name, figure in figures.items()}
    {'outliers': 2, 'roc_auc': 0.75, 'average_precision': 0.833, 'precision': 1.0, 'recall': 0.5, 'f1': 0.667,
     'precision_at_n': 0.5}
    """
    n_outliers = int(is_outlier.sum())
    if n_outliers in (0, len(is_outlier)):
        return dict.fromkeys(FIGURE_TITLES) | {"outliers": n_outliers}
    # scikit-learn's metrics expect the positive class to have the higher scores.
    abnormality = -evaluation.scores
    precision, recall, f1, _ = precision_recall_fscore_support(
        is_outlier, evaluation.labels == OUTLIER, average="binary", zero_division=0.0
    )
    return {
        "outliers": n_outliers,
        "roc_auc": float(roc_auc_score(is_outlier, abnormality)),
        "average_precision": float(average_precision_score(is_outlier, abnormality)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "precision_at_n": _precision_at_n(evaluation.scores, is_outlier, n_outliers),
    }


def _precision_at_n(scores: NDArray[np.float64], is_outlier: NDArray[np.bool_], n: int) -> float:
    """Compute the share of outliers among the ``n`` most abnormal rows, where ``n`` is the number of outliers.

    Of rows with the n-th score, any may be among the n, so they count with the share of outliers among them.
    """
    last_score = np.partition(scores, n - 1)[n - 1]
    surely, perhaps = is_outlier[scores < last_score], is_outlier[scores == last_score]
    return float((surely.sum() + (n - len(surely)) * perhaps.mean()) / n)


def measure_agreement(forest: Forest, rows: NDArray[np.float64], n_flagged: int) -> float | None:
    """Measure how far the flagged rows depend on the seed: the agreement of two independent halves of the trees.

    Parameters
    ----------
    forest
        The forest. Two whole forests of as many trees, with different seeds, agree better than its halves.
    rows
        The training rows, shape ``(n_rows, n_features)``.
    n_flagged
        How many of them the forest flags; each half flags as many.

    Returns
    -------
    Jaccard index, in [0, 1]: of the rows that either half flags, the share that both flag. None for a single tree,
    or if nothing is flagged.

    Examples
    --------
    >>> from training.fitting.compile import compile_forest
    >>> rows = np.random.default_rng(1).normal(size=(2000, 2))
    >>> for n_trees in (2, 20, 200):
    ...     forest = compile_forest(IsolationForest(n_estimators=n_trees, random_state=1).fit(rows))
    ...     print(round(measure_agreement(forest, rows, 100), 2))
    0.15
    0.53
    0.87
    """
    if len(forest.arrays.roots) < 2 or not n_flagged:
        return None
    one, other = (
        sums <= np.partition(sums, n_flagged - 1)[n_flagged - 1] for sums in forest.sum_path_lengths_of_halves(rows)
    )
    return float((one & other).sum() / (one | other).sum())


def describe_agreement(agreement: float | None) -> str:
    """Describe how far the flagged rows depend on the seed.

    Examples
    --------
    >>> describe_agreement(0.78)
    'Two independent halves of the trees agree on 78% of the rows that either flags; more trees agree better.'
    """
    if agreement is None:
        return "Whether another seed would flag the same rows is unknown: that needs two trees and a flagged row."
    return (
        f"Two independent halves of the trees agree on {agreement:.0%} of the rows that either flags; more trees agree "
        "better."
    )


# From one row in two thousand to one in twenty: the usual range for raising alarms.
CONTAMINATIONS = (0.0005, 0.001, 0.005, 0.01, 0.05)

# scikit-learn's threshold for contamination "auto", from the original paper.
AUTO_THRESHOLD = -0.5


def count_flagged(
    training_scores: NDArray[np.float64], scores: NDArray[np.float64], is_outlier: NDArray[np.bool_] | None = None
) -> list[dict[str, Any]]:
    """Count the rows that each contamination would flag; the trees are the same for all.

    Parameters
    ----------
    training_scores
        Scores of the training rows, which determine the thresholds, shape ``(n_training_rows,)``.
    scores
        Scores of the rows to count, shape ``(n_rows,)``.
    is_outlier
        True labels of these rows, same shape; None without.

    Returns
    -------
    Strict JSON values, one per row of the table: ``contamination``, ``threshold`` (rows with a lower score are
    outliers), ``flagged_rows``; with labels also ``precision`` and ``recall``, in [0, 1], or None where nothing is
    flagged or no row is an outlier.

    Examples
    --------
    Equal scores are flagged together or not at all, so fewer rows may be flagged than requested.

    >>> scores = np.repeat([-0.8, -0.6, -0.4], [1, 9, 90])
    >>> for row in count_flagged(scores, scores)[2:]:
    ...     print(row)
    {'contamination': 0.005, 'threshold': -0.701, 'flagged_rows': 1}
    {'contamination': 0.01, 'threshold': -0.602, 'flagged_rows': 1}
    {'contamination': 0.05, 'threshold': -0.6, 'flagged_rows': 1}
    {'contamination': 'auto', 'threshold': -0.5, 'flagged_rows': 10}
    """
    # As scikit-learn computes its offset.
    learnt = np.percentile(training_scores, [100.0 * share for share in CONTAMINATIONS]).tolist()
    thresholds = dict(zip(CONTAMINATIONS, learnt, strict=True)) | {"auto": AUTO_THRESHOLD}
    choices = []
    for share, threshold in thresholds.items():
        is_flagged = scores - threshold < 0
        n_flagged = int(is_flagged.sum())
        choice = {"contamination": share, "threshold": threshold, "flagged_rows": n_flagged}
        if is_outlier is not None:
            n_caught, n_outliers = int((is_flagged & is_outlier).sum()), int(is_outlier.sum())
            choice["precision"] = n_caught / n_flagged if n_flagged else None
            choice["recall"] = n_caught / n_outliers if n_outliers else None
        choices.append(choice)
    return choices


@dataclass(frozen=True)
class EnsembleShape:
    """The size of a forest, and the features that it splits.

    Parameters
    ----------
    n_trees, n_leaves
        Totals of all trees.
    max_depth
        Edges from the root to the deepest leaf.
    split_shares
        Share of all splits that test each feature, in [0, 1], the largest first; they add up to 1. Empty if no tree
        splits anything, because all rows are equal.

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
        """Measure a fitted estimator; ``names`` are those of its features, in order."""
        trees = [tree.tree_ for tree in estimator.estimators_]
        splits = np.zeros(len(names), dtype=np.int64)
        for tree, seen in zip(trees, estimator.estimators_features_, strict=True):
            # A leaf tests the feature -2.
            splits += np.bincount(np.asarray(seen)[tree.feature[tree.feature >= 0]], minlength=len(names))
        # A stable sort: features that are split equally often stay in column order.
        order = np.argsort(-splits, kind="stable").tolist() if splits.any() else []
        return cls(
            n_trees=len(trees),
            n_leaves=sum(int(tree.n_leaves) for tree in trees),
            max_depth=max(int(tree.max_depth) for tree in trees),
            split_shares={names[feature]: float(splits[feature] / splits.sum()) for feature in order},
        )
