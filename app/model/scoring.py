"""Scores rows with a model: anomaly scores, labels, and the confidence of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class ScoredRow(NamedTuple):
    """One row with the results of a model; the same as ``ScoredRows``, without arrays."""

    row: Sequence[float]
    score: float
    label: int
    confidence: float


def score_row(bundle: Bundle, row: Sequence[float]) -> ScoredRow:
    """Score one row: a finite number within float32 for each feature. Arrays take several times as long."""
    score, label = bundle.forest.score_and_label_row(row)
    return ScoredRow(row, score, label, bundle.confidence.of_row(score, label))


def score_rows(bundle: Bundle, rows: NDArray[np.floating]) -> ScoredRows:
    """Score rows, shape ``(n_rows, n_columns)``."""
    scores, labels = bundle.forest.score_and_label(rows)
    return ScoredRows(rows.astype(np.float32, copy=False), scores, labels, bundle.confidence.of_rows(scores, labels))
