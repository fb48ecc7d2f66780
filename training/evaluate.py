"""What a forest says about rows: scores, labels, and the figures that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.forest import OUTLIER, Forest

# The low end is finer, since that is where outliers are.
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
        """Give the different scores, ascending, and how many rows have each."""
        return np.unique(self.scores, return_counts=True)

    def as_figures(self) -> dict[str, Any]:
        """Sum up as strict JSON values."""
        quantiles = np.quantile(self.scores, _QUANTILES)
        return {
            "rows": len(self),
            "flagged_rows": self.n_flagged,
            "inlier_share": self.inlier_share,
            "score_quantiles": {f"{q:g}": float(score) for q, score in zip(_QUANTILES, quantiles, strict=True)},
        }


def evaluate(forest: Forest, rows: NDArray[np.float64]) -> Evaluation:
    """Score and label rows, shape ``(n_rows, n_features)``, with the compiled forest."""
    scores = forest.score(rows)
    return Evaluation(scores, forest.label(scores))
