"""Which rows are recorded, and which of them are drawn for labelling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SampledRows:
    """What becomes of rows; every array has the shape ``(n_rows,)``.

    Parameters
    ----------
    are_recorded
        Whether a row is recorded.
    recorded_shares
        The probability, in (0, 1], with which a row like this is recorded.
    are_audited
        Whether a row is drawn for labelling; only inliers that are recorded are.
    """

    are_recorded: NDArray[np.bool_]
    recorded_shares: NDArray[np.float64]
    are_audited: NDArray[np.bool_]


class RowSampler:
    """Chooses rows at random; outliers are always recorded.

    One number is drawn for each row, and both choices look at it: so every drawn inlier is recorded, and both shares
    are exact.

    Parameters
    ----------
    share
        Of the inliers that are recorded, 0 to 1.
    audit_share
        Of the inliers that are drawn for labelling, 0 to 1. At least so many are recorded.
    seed
        Of the numbers; None for others each time.

    Examples
    --------
    >>> chosen = RowSampler(share=0, audit_share=0).choose(np.array([1, -1]))
    >>> chosen.are_recorded.tolist(), chosen.are_audited.tolist()
    ([False, True], [False, False])
    """

    def __init__(self, share: float, audit_share: float, seed: int | None = None) -> None:
        self._inlier_share, self.audit_share = max(share, audit_share), audit_share
        self._random = np.random.default_rng(seed)

    def choose(self, labels: NDArray[np.int64]) -> SampledRows:
        """Choose among rows by their labels, 1 inlier and -1 outlier."""
        drawn = self._random.random(len(labels))
        are_inliers = labels == 1
        shares = np.where(are_inliers, self._inlier_share, 1.0)
        return SampledRows(drawn < shares, shares, are_inliers & (drawn < self.audit_share))

    def draw_position(self) -> float:
        """Draw the place of an audited row in the random order in which they are handed out."""
        return float(self._random.random())
