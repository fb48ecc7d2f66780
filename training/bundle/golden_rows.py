"""The proof that a compiled forest is scikit-learn's: checked on training rows, and noted in the bundle."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.errors import InvalidForest
from app.model.bundle import SCORE_TOLERANCE
from training.fitting.evaluate import Evaluation

# Enough to tell forests apart, few enough to be scored each time a bundle is opened.
GOLDEN_ROWS = 32

# About a third each: the most abnormal rows, typical ones, and (what is left) those nearest to the threshold.
_LOWEST, _TYPICAL = 10, 11

# Comparing more rows would take scikit-learn over a minute; rows beyond are thinned evenly.
MAX_COMPARED_ROWS = 1_000_000


def check_agreement(estimator: IsolationForest, rows: NDArray[np.float64], compiled: Evaluation) -> None:
    """Compare the compiled forest's answers with scikit-learn's, on at most 1,000,000 training rows.

    Parameters
    ----------
    estimator
        The fitted estimator that was compiled.
    rows
        Training rows, shape ``(n_rows, n_features)``.
    compiled
        The compiled forest's answers to ``rows``.

    Raises
    ------
    InvalidForest
        If a label differs, or a score by more than 1e-12.
    """
    every = slice(None, None, -(-len(rows) // MAX_COMPARED_ROWS))
    scores, labels = _ask_scikit_learn(estimator, rows[every])
    differing = (labels != compiled.labels[every]) | (np.abs(scores - compiled.scores[every]) > SCORE_TOLERANCE)
    if differing.any():
        raise InvalidForest(
            f"Compiled forest and scikit-learn differ on {int(differing.sum())} of {len(scores)} rows, so "
            "no model was written; fit the forest again with the scikit-learn release installed here."
        )


def choose_golden_rows(
    estimator: IsolationForest, rows: NDArray[np.float64], compiled: Evaluation, offset: float
) -> dict[str, Any]:
    """Choose up to 32 training rows with different scores, and note scikit-learn's own answers to them.

    Returns
    -------
    Strict JSON values: ``rows``, ``anomaly_score`` (the lower, the more abnormal), ``is_inlier`` (1 or -1).
    """
    # Rows with equal scores prove the same; one of each is enough.
    unique_scores, positions = np.unique(compiled.scores, return_index=True)
    by_distance = np.argsort(np.abs(unique_scores - offset), kind="stable")
    typical = np.linspace(0, len(positions) - 1, _TYPICAL).astype(int)
    ranked = [*range(len(positions))[:_LOWEST], *typical.tolist(), *by_distance.tolist()]
    chosen = rows[positions[list(dict.fromkeys(ranked))[:GOLDEN_ROWS]]]
    scores, labels = _ask_scikit_learn(estimator, chosen)
    return {"rows": chosen.tolist(), "anomaly_score": scores.tolist(), "is_inlier": labels.tolist()}


def _ask_scikit_learn(
    estimator: IsolationForest, rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Score and label rows with the estimator itself."""
    with warnings.catch_warnings():
        # Somebody's own estimator may know column names; the columns were matched by name when read.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        try:
            return estimator.score_samples(rows), estimator.predict(rows)
        except AttributeError as error:
            raise InvalidForest(
                f"The scikit-learn release installed here cannot use this forest ({error}); fit it again."
            ) from None
