"""What other contaminations than the chosen one would flag: the table that a person chooses from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# From one row in two thousand to one in twenty, which spans what alerting on outliers is asked for.
CONTAMINATIONS = (0.0005, 0.001, 0.005, 0.01, 0.05)

# The threshold of contamination "auto": scikit-learn's, after the original paper.
AUTO_THRESHOLD = -0.5


def count_flagged(training_scores: NDArray[np.float64], scores: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Count the rows that each contamination would flag; the trees are the same for all of them.

    Parameters
    ----------
    training_scores
        Scores of the training rows, from which the thresholds are learnt, shape ``(n_training_rows,)``.
    scores
        Scores of the rows to count, shape ``(n_rows,)``.

    Returns
    -------
    Strict JSON values, a row of the table each: ``contamination``, ``threshold`` (rows with a lower score are
    outliers), ``flagged_rows``.

    Examples
    --------
    Equal scores are flagged together or not at all, so fewer rows may be flagged than were asked for.

    >>> scores = np.repeat([-0.8, -0.6, -0.4], [1, 9, 90])
    >>> for row in count_flagged(scores, scores)[2:]:
    ...     print(row)
    {'contamination': 0.005, 'threshold': -0.701, 'flagged_rows': 1}
    {'contamination': 0.01, 'threshold': -0.602, 'flagged_rows': 1}
    {'contamination': 0.05, 'threshold': -0.6, 'flagged_rows': 1}
    {'contamination': 'auto', 'threshold': -0.5, 'flagged_rows': 10}
    """
    # As scikit-learn learns its offset.
    learnt = np.percentile(training_scores, [100.0 * share for share in CONTAMINATIONS]).tolist()
    thresholds = dict(zip(CONTAMINATIONS, learnt, strict=True)) | {"auto": AUTO_THRESHOLD}
    return [
        {"contamination": share, "threshold": threshold, "flagged_rows": int((scores - threshold < 0).sum())}
        for share, threshold in thresholds.items()
    ]
