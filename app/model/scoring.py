"""Scores rows with a model: anomaly scores, labels, and the confidence of the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.bundle import Bundle


@dataclass(frozen=True)
class ScoredRows:
    """Rows with the results of a model.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``.
    scores
        Anomaly scores in [-1, 0], shape ``(n_rows,)``: lower is more abnormal.
    labels
        1 inlier, -1 outlier, shape ``(n_rows,)``.
    confidences
        Confidence of the labels, in [0, 1], shape ``(n_rows,)``: higher is more certain.
    """

    rows: NDArray[np.float32]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    confidences: NDArray[np.float64]


def score_rows(bundle: Bundle, rows: NDArray[np.float32]) -> ScoredRows:
    """Score rows, shape ``(n_rows, n_features)``, finite."""
    scores = bundle.forest.score(rows)
    labels = bundle.forest.label(scores)
    if len(rows) == 1:
        # Most requests have one row, and a lookup with arrays of one takes several times as long.
        confidences = np.array([bundle.confidence.of_row(scores[0], labels[0])])
    else:
        confidences = bundle.confidence.of_rows(scores, labels)
    return ScoredRows(rows, scores, labels, confidences)
