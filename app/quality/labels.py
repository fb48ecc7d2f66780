"""What quality is estimated from: counts of answers, and labels with the probability that each was collected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelledAnswers:
    """Counts of all answers of a group, and the labels of alarms and of audited inliers.

    Labels of other inliers are left out: people complain about missed outliers, so misses would look more frequent than
    they are.

    Parameters
    ----------
    n_alarms, n_inliers
        All answers of either kind, labelled or not, at least as many as have a label.
    alarm_scores, alarm_is_outlier
        Shape (n,), one for each labelled alarm: its score (lower is more abnormal) and its label.
    audit_scores, audit_is_outlier, audit_probabilities
        Shape (m,), one for each audited inlier with a label: the same, and the probability in (0, 1] that the row was
        drawn and labelled, from :func:`labelling_probabilities`. Only the ratios of the probabilities matter: halving
        all of them changes nothing.

    Raises
    ------
    ValueError
        If the arrays do not fit together, a score is not finite or a probability is not in (0, 1].
    """

    n_alarms: int
    n_inliers: int
    alarm_scores: NDArray[np.float64]
    alarm_is_outlier: NDArray[np.bool_]
    audit_scores: NDArray[np.float64]
    audit_is_outlier: NDArray[np.bool_]
    audit_probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that the values are consistent."""
        for name, labels, others in (
            ("alarm_is_outlier", self.alarm_is_outlier, {"alarm_scores": self.alarm_scores}),
            (
                "audit_is_outlier",
                self.audit_is_outlier,
                {"audit_scores": self.audit_scores, "audit_probabilities": self.audit_probabilities},
            ),
        ):
            if labels.dtype != np.bool_ or labels.ndim != 1:
                raise ValueError(f"{name} has type {labels.dtype} and shape {labels.shape}; pass bool, shape (n,).")
            for other, values in others.items():
                if values.shape != labels.shape:
                    raise ValueError(f"{other} has shape {values.shape}; pass one for each of {name}: {labels.shape}.")
        for name, n_answers, n_labels in (
            ("n_alarms", self.n_alarms, len(self.alarm_is_outlier)),
            ("n_inliers", self.n_inliers, len(self.audit_is_outlier)),
        ):
            if n_answers < n_labels:
                raise ValueError(f"{name} is {n_answers}, but {n_labels} of them have labels; pass the count of all.")
        for name, scores in (("alarm_scores", self.alarm_scores), ("audit_scores", self.audit_scores)):
            if not np.isfinite(scores).all():
                raise ValueError(f"{name} holds a number that is not finite; pass the scores of the answers.")
        if not ((self.audit_probabilities > 0) & (self.audit_probabilities <= 1)).all():
            raise ValueError("audit_probabilities holds a number outside (0, 1]; pass the sampling probabilities.")


def labelling_probabilities(
    probabilities: NDArray[np.float64], was_labelled_before: NDArray[np.bool_], is_labelled: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Compute the probability that each labelled row was drawn for the audit queue and got its label.

    The queue skips rows that have a label already. Misses are more frequent among these, since people complain about
    misses; and all of these have a label, while some of the rows that are handed out get none. With equal weights, they
    would make misses look more frequent than they are. So a row that was handed out and labelled also stands for those
    that were handed out and got no label, and a row that was labelled before stands only for itself.

    Parameters
    ----------
    probabilities
        Shape (n,), in (0, 1]: the probability with which each row was drawn, for all rows that the queue has reached,
        whether handed out or skipped.
    was_labelled_before
        Shape (n,): whether a row had a label when the queue reached it.
    is_labelled
        Shape (n,): whether it has one now.

    Returns
    -------
    One for each labelled row, in order, in (0, 1]: the ``audit_probabilities`` of :class:`LabelledAnswers`.

    References
    ----------
    D. Holt and D. Elliot, "Methods of weighting for unit non-response", 1991 (weighting classes).

    Examples
    --------
    One row had a label already. Of four others that were handed out, two were labelled.

    >>> before, now = np.array([True, False, False, False, False]), np.array([True, True, False, True, False])
    >>> labelling_probabilities(np.full(5, 0.001), before, now)
    array([0.001 , 0.0005, 0.0005])
    """
    got_label = is_labelled & ~was_labelled_before
    n_handed_out = int((~was_labelled_before).sum())
    labelled_share = int(got_label.sum()) / n_handed_out if n_handed_out else 1.0
    corrected: NDArray[np.float64] = np.where(was_labelled_before, probabilities, probabilities * labelled_share)
    return corrected[is_labelled | was_labelled_before]
