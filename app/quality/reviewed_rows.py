"""Rows with labels, and what is estimated from them: which count, with which probability, and how old they must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.labels import MIN_QUEUE_LABELS, LabelledAnswers, labelling_probabilities


@dataclass(frozen=True)
class ReviewedRows:
    """Rows with a label, and rows that a queue has reached; each field has the shape ``(n_rows,)``.

    Parameters
    ----------
    answered_at
        Seconds since 1970.
    model_versions, segments
        As recorded.
    scores
        Anomaly scores, in [-1, 0]: the lower, the more abnormal.
    is_alarm
        Whether the predicted label is outlier.
    is_labelled, is_outlier
        Whether there is a true label, and whether it is outlier.
    probabilities
        The probability with which a queue reached the row; NaN unless it did.
    handed_at, labelled_at
        When a queue reached the row, and when it got its first label, in seconds since 1970; NaN if not.
    """

    answered_at: NDArray[np.float64]
    model_versions: NDArray[np.str_]
    segments: NDArray[np.str_]
    scores: NDArray[np.float64]
    is_alarm: NDArray[np.bool_]
    is_labelled: NDArray[np.bool_]
    is_outlier: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    handed_at: NDArray[np.float64]
    labelled_at: NDArray[np.float64]

    def take(self, chosen: NDArray[np.bool_]) -> ReviewedRows:
        """Return some of the rows."""
        return ReviewedRows(**{name: column[chosen] for name, column in vars(self).items()})

    @property
    def is_reached(self) -> NDArray[np.bool_]:
        """Whether a queue has reached the row."""
        return ~np.isnan(self.probabilities)

    @property
    def was_labelled_before(self) -> NDArray[np.bool_]:
        """Whether the row had a label when a queue reached it."""
        return self.labelled_at <= self.handed_at

    @property
    def is_requested(self) -> NDArray[np.bool_]:
        """Whether a queue handed the row out."""
        return self.is_reached & ~self.was_labelled_before

    @property
    def days(self) -> NDArray[np.int64]:
        """Start of the day of the answer in UTC; seconds since 1970."""
        return self.answered_at.astype(np.int64) // 86_400 * 86_400

    def as_of(self, time: float) -> ReviewedRows:
        """Return the rows that were answered before a time; what a queue handed out later does not count."""
        rows = self.take(self.answered_at < time)
        reached = np.where(rows.handed_at <= time, rows.probabilities, np.nan)
        return ReviewedRows(**vars(rows) | {"probabilities": reached})


def reach_of(
    answered_at: NDArray[np.float64], rounds_at: NDArray[np.float64], reaches: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the probability that a queue in random order reached each row.

    A row is reached if its position, which is uniform in [0, 1), is below the reach of a later hand-out. So the
    probability is the farthest reach since the row was answered: older rows had more chances.

    Parameters
    ----------
    answered_at
        Shape ``(n_rows,)``, seconds since 1970.
    rounds_at, reaches
        Shape ``(n_rounds,)``: when rows were handed out, ascending, and the first position that was not reached.

    Returns
    -------
    Shape ``(n_rows,)``, in [0, 1]; 1 for a row after all hand-outs, which can be none that was reached.

    References
    ----------
    N. Duffield, C. Lund and M. Thorup, "Priority sampling for estimation of arbitrary subset sums", Journal of the ACM
    54, 2007 (the first position that was not reached, rather than the last that was).

    Examples
    --------
    >>> reach_of(np.array([5.0, 15.0, 25.0]), np.array([10.0, 20.0]), np.array([0.8, 0.2]))
    array([0.8, 0.2, 1. ])
    """
    farthest = np.append(np.maximum.accumulate(reaches[::-1])[::-1], 1.0)
    reached: NDArray[np.float64] = farthest[np.searchsorted(rounds_at, answered_at, side="left")]
    return reached


def select_answers(rows: ReviewedRows, n_alarms: int, n_inliers: int) -> LabelledAnswers:
    """Separate alarms from audited inliers, and choose the labels that count.

    Of alarms, the labels of those that the queue has reached, if there are at least 20; otherwise all of them. Of
    inliers, only the former.

    Parameters
    ----------
    rows
        Rows of one group of answers.
    n_alarms, n_inliers
        All answers of the group.
    """
    reached, labelled = rows.is_reached, rows.is_labelled
    queued = rows.is_alarm & reached
    is_from_queue = int((queued & labelled).sum()) >= MIN_QUEUE_LABELS
    alarms = rows.is_alarm & labelled & (reached if is_from_queue else True)
    drawn, audits = ~rows.is_alarm & reached, ~rows.is_alarm & reached & labelled
    return LabelledAnswers(
        # A record id is made just before its answer: at the end of the last hour, the answer may fall into the next
        # one.
        n_alarms=max(n_alarms, int(alarms.sum())),
        n_inliers=max(n_inliers, int(audits.sum())),
        alarm_scores=rows.scores[alarms],
        alarm_is_outlier=rows.is_outlier[alarms],
        audit_scores=rows.scores[audits],
        audit_is_outlier=rows.is_outlier[audits],
        audit_probabilities=_labelling_probabilities(rows, drawn),
        alarm_probabilities=_labelling_probabilities(rows, queued) if is_from_queue else None,
    )


def _labelling_probabilities(rows: ReviewedRows, drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the probability that each labelled row of a queue was drawn and labelled."""
    return labelling_probabilities(rows.probabilities[drawn], rows.was_labelled_before[drawn], rows.is_labelled[drawn])
