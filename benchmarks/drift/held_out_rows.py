"""Split a table into rows for the detectors' reference and calibration, and held-out rows for streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import Calibration
from app.model.forest import OUTLIER, Forest
from training.drift.calibrate import DriftParameters, ScoredRows, calibrate, split_reference
from training.fitting.compile import compile_forest
from training.fitting.fit import ForestParameters, fit

# Enough that a stream seldom repeats a row, while most rows are used for training, as in practice.
_HELD_OUT_SHARE = 0.25

# About one row in a thousand is an outlier, so `outlier_rate` has the same steps as in practice.
_CONTAMINATION = 0.001


@dataclass(frozen=True)
class Draw:
    """One split of a table: a forest, its training rows, and rows that neither the forest nor a detector has seen.

    Parameters
    ----------
    forest
        Fitted on the training rows.
    reference, others
        Training rows: those that live rows are compared with, and those for the calibration.
    held_out
        All other rows, shape ``(n_rows, n_features)``.
    """

    forest: Forest
    reference: ScoredRows
    others: ScoredRows
    held_out: NDArray[np.float64]

    @classmethod
    def of(cls, table: NDArray[np.float64], seed: int) -> Draw:
        """Split a table, shape ``(n_rows, n_features)``; the same seed gives the same split."""
        shuffled = np.random.default_rng(seed).permutation(table)
        n_held_out = int(_HELD_OUT_SHARE * len(table))
        held_out, training = shuffled[:n_held_out], shuffled[n_held_out:]
        parameters = ForestParameters(contamination=_CONTAMINATION, random_state=seed)
        forest = compile_forest(fit(training, parameters))
        scored = score(forest, training)
        reference, others = split_reference(len(training))
        return cls(forest, scored.take(reference), scored.take(others), held_out)

    def calibrate(self, run_time: int, window: int) -> Calibration:
        """Calibrate the detectors as `train` does."""
        flagged = np.concatenate([self.reference.labels, self.others.labels]) == OUTLIER
        return calibrate(self.reference, self.others, float(flagged.mean()), DriftParameters(run_time, window))


def score(forest: Forest, rows: NDArray[np.float64]) -> ScoredRows:
    """Score rows as the service does."""
    return ScoredRows(rows, *forest.score_and_label(rows))
