"""How well scores and labels of a forest agree with labels that are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from app.model.forest import OUTLIER
from training.evaluate import Evaluation

# As tables name them; the keys are those of the manifest.
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
    """Compare a forest's answers with known labels; outliers are the class to be found.

    Parameters
    ----------
    evaluation
        Scores and labels that the forest gave.
    is_outlier
        Shape ``(n_rows,)``: which rows are known to be outliers.

    Returns
    -------
    Strict JSON values under the keys of ``FIGURE_TITLES``. ``outliers`` counts; the others lie in [0, 1], the higher
    the better. ROC AUC and average precision judge the order of the scores, whatever the threshold is; precision,
    recall and F1 judge the labels, and are 0 where nothing was flagged. All but the count are None where only one
    kind of rows is known.

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
    # scikit-learn's metrics expect the class to be found to have the higher scores.
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
    """Measure the share of outliers among the ``n`` most abnormal rows, ``n`` being the number of outliers.

    Of rows that share the n-th score, any may be among the n: they count with the share of outliers among them.
    """
    last_score = np.partition(scores, n - 1)[n - 1]
    surely, perhaps = is_outlier[scores < last_score], is_outlier[scores == last_score]
    return float((surely.sum() + (n - len(surely)) * perhaps.mean()) / n)
