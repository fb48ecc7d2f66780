"""Scores rows with a model: anomaly scores, labels, the confidence of the labels, and which values are unfamiliar.

An Isolation Forest cannot see beyond its training range: a value far outside is like the largest one inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import gt, lt, ne
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.model.bundle import Bundle
from app.model.schema import Features

# Why a value is unfamiliar.
ABOVE, BELOW, NEW, MISSING = REASONS = ("above training range", "below training range", "new level", "missing")

# By column, why its value is unfamiliar.
Unfamiliar = dict[str, str]

# Why such a row has no confidence: it is how sure a label is for rows like those in training.
NO_CONFIDENCE = "not known for a row with unfamiliar values"


@dataclass(frozen=True)
class ScoredRows:
    """Rows with the results of a model.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_columns)``.
    scores
        Anomaly scores in [-1, 0], shape ``(n_rows,)``: lower is more abnormal.
    labels
        1 inlier, -1 outlier, shape ``(n_rows,)``.
    confidences
        Confidence of the labels, in [0, 1], shape ``(n_rows,)``: higher is more certain; NaN for unfamiliar rows.
    unfamiliar
        By position of a row that has any: its unfamiliar values.
    """

    rows: NDArray[np.floating]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    confidences: NDArray[np.float64]
    unfamiliar: dict[int, Unfamiliar] = field(default_factory=dict)


class ScoredRow(NamedTuple):
    """One row with the results of a model; the same as ``ScoredRows``, without arrays."""

    row: Sequence[float]
    score: float
    label: int
    confidence: float
    unfamiliar: Unfamiliar | None = None


class KnownValues:
    """What values of each column training saw.

    Parameters
    ----------
    features
        The model's input columns.
    never_missing
        Which columns had a value in every row; empty if no value may be missing.

    Examples
    --------
    >>> known = KnownValues(Features(("mean", "country"), (0.0, 0.0), (1.0, 1.0), (None, ("DE", "FR"))))
    >>> known.has_row([0.5, 1.0]), known.find([1.5, -1.0])
    (True, {'mean': 'above training range', 'country': 'new level'})
    """

    def __init__(self, features: Features, never_missing: tuple[bool, ...] = ()) -> None:
        self._names, self._never_missing = features.names, never_missing
        self._has_levels = tuple(map(bool, features.levels)) or (False,) * len(features)
        # The forest compares float32: what is rounded to the end of the range is not beyond it.
        self._low32, self._high32 = np.array(features.low, np.float32), np.array(features.high, np.float32)
        self._low = tuple(map(min, features.low, self._low32.tolist()))
        self._high = tuple(map(max, features.high, self._high32.tolist()))

    @classmethod
    def of(cls, bundle: Bundle) -> KnownValues:
        """Return what the training of a bundle saw."""
        features, columns = bundle.features, bundle.manifest.get("columns", ())
        may_miss = any(features.can_be_missing)
        return cls(features, tuple(column["share_missing"] == 0 for column in columns) if may_miss else ())

    def has_row(self, row: Sequence[float]) -> bool:
        """Return whether training saw values such as all of a row."""
        if any(map(lt, row, self._low)) or any(map(gt, row, self._high)):
            return False
        # NaN, which no comparison finds, differs from itself.
        return not (self._never_missing and any(map(ne, row, row))) or not self.find(row)

    def find(self, row: Sequence[float]) -> Unfamiliar:
        """Return the unfamiliar values of a row."""
        found: Unfamiliar = {}
        for place, (value, low, high) in enumerate(zip(row, self._low, self._high, strict=True)):
            if value != value:
                if self._never_missing and self._never_missing[place]:
                    found[self._names[place]] = MISSING
            elif not low <= value <= high:
                found[self._names[place]] = NEW if self._has_levels[place] else BELOW if value < low else ABOVE
        return found

    def find_rows(self, rows: NDArray[np.floating]) -> dict[int, Unfamiliar]:
        """Return the unfamiliar values of rows, by position; shape ``(n_rows, n_columns)``."""
        single = rows.astype(np.float32, copy=False)
        are_odd = (single < self._low32) | (single > self._high32)
        if self._never_missing:
            are_odd |= np.isnan(single) & np.array(self._never_missing)
        return {place: self.find(single[place].tolist()) for place in np.flatnonzero(are_odd.any(axis=1)).tolist()}


def score_row(bundle: Bundle, row: Sequence[float]) -> ScoredRow:
    """Score one row: a number within float32 for each column. Arrays take several times as long."""
    score, label = bundle.forest.score_and_label_row(row)
    if bundle.known_values.has_row(row):
        return ScoredRow(row, score, label, bundle.confidence.of_row(score, label))
    return ScoredRow(row, score, label, float("nan"), bundle.known_values.find(row))


def score_rows(bundle: Bundle, rows: NDArray[np.floating]) -> ScoredRows:
    """Score rows, shape ``(n_rows, n_columns)``."""
    scores, labels = bundle.forest.score_and_label(rows)
    confidences = bundle.confidence.of_rows(scores, labels)
    unfamiliar = bundle.known_values.find_rows(rows)
    if unfamiliar:
        confidences[list(unfamiliar)] = np.nan
    return ScoredRows(rows.astype(bundle.features.dtype, copy=False), scores, labels, confidences, unfamiliar)
