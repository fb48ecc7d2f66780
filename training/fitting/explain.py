"""Explain the rows of a file: how much each column matters to a model, and which rows are the most abnormal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.explain import Explainer
from app.model.explained_rows import explain_rows
from app.model.forest import OUTLIER
from training.data.dataset import Dataset
from training.fitting.evaluate import Evaluation

# As many as a person looks at one by one.
N_ROWS_SHOWN = 20

# The contributions of so many rows at once fit into some megabytes.
_BLOCK_ROWS = 10_000


@dataclass(frozen=True)
class Importance:
    """How much each column moves ``log2(-anomaly_score)``, in either direction: the mean absolute contribution.

    Parameters
    ----------
    names
        The columns, the most important for outliers first.
    of_outliers, of_all
        Of each column, over outliers and over all rows, at least 0; zeros if there are no outliers.
    """

    names: tuple[str, ...]
    of_outliers: tuple[float, ...]
    of_all: tuple[float, ...]


def measure_importance(
    explainer: Explainer, data: Dataset, evaluation: Evaluation, max_rows: int | None = None
) -> Importance:
    """Compute the importance of each column.

    Parameters
    ----------
    explainer
        Of the model.
    data, evaluation
        The rows, and their scores and labels.
    max_rows
        Of more outliers or of more rows, evenly spaced ones are used; None for all.
    """
    is_flagged = evaluation.labels == OUTLIER
    of_all = _mean_contributions(explainer, data, _thin(np.arange(len(data)), max_rows))
    of_outliers = _mean_contributions(explainer, data, _thin(np.flatnonzero(is_flagged), max_rows))
    order = np.lexsort((-of_all, -of_outliers))
    return Importance(
        tuple(data.names[column] for column in order),
        tuple(of_outliers[order].tolist()),
        tuple(of_all[order].tolist()),
    )


def _thin(places: NDArray[np.intp], max_rows: int | None) -> NDArray[np.intp]:
    """Return at most ``max_rows`` places, evenly spaced."""
    step = 1 if max_rows is None else -(-len(places) // max_rows)
    return places[:: max(step, 1)]


def _mean_contributions(explainer: Explainer, data: Dataset, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Compute the mean absolute contribution of each column over the rows at ``places``."""
    total = np.zeros(len(data.names))
    for first in range(0, len(places), _BLOCK_ROWS):
        rows = data.rows[places[first : first + _BLOCK_ROWS]].astype(data.features.dtype)
        total += np.abs(explainer.contributions(rows)).sum(0)
    return total / max(1, len(places))


@dataclass(frozen=True)
class AbnormalRow:
    """One of the most abnormal rows of a file.

    Parameters
    ----------
    number
        Counted from 1, without the header.
    copies
        How many rows of the file are equal to it, itself included.
    score
        In [-1, 0]: the lower, the more abnormal.
    is_outlier
        Whether it is labelled an outlier.
    fields
        The fields that explain it, as in an answer.
    """

    number: int
    copies: int
    score: float
    is_outlier: bool
    fields: dict[str, Any]


def explain_most_abnormal(explainer: Explainer, data: Dataset, evaluation: Evaluation) -> list[AbnormalRow]:
    """Explain the twenty most abnormal rows, the most abnormal first; equal rows count once."""
    rows, scores = data.rows.astype(data.features.dtype), evaluation.scores
    # Only the rows that may be shown are compared with each other: many copies of one row would fill the table.
    order = np.argsort(scores, kind="stable")
    firsts: dict[bytes, int] = {}
    for place in order.tolist():
        firsts.setdefault(rows[place].tobytes(), place)
        if len(firsts) == N_ROWS_SHOWN:
            break
    places = np.array(list(firsts.values()))
    fields = explain_rows(explainer, rows[places], scores[places])
    return [
        AbnormalRow(
            number=place + 1,
            copies=_count_copies(rows, scores, place),
            score=float(scores[place]),
            is_outlier=bool(evaluation.labels[place] == OUTLIER),
            fields=explained,
        )
        for place, explained in zip(places.tolist(), fields, strict=True)
    ]


def _count_copies(rows: NDArray[np.floating], scores: NDArray[np.float64], place: int) -> int:
    """Count the rows that are equal to the one at ``place``; a missing value equals another."""
    alike = rows[scores == scores[place]]
    return int(((alike == rows[place]) | (np.isnan(alike) & np.isnan(rows[place]))).all(1).sum())
