"""What is known about the answers of one group in one window.

How likely it was that a labelled row of the audit queue got its label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelledAnswers:
    """Counts of all answers, and the labels of some: those of alarms, and those that the audit queue asked for.

    Labels of inliers that came any other way are left out: whoever complains about a missed outlier would make misses
    look more frequent than they are.

    Parameters
    ----------
    n_alarms, n_inliers
        All answers of either kind, labelled or not, at least as many as have a label.
    alarm_scores, alarm_is_outlier
        Shape (n,), one for each labelled alarm: its score (the lower the more abnormal) and its label.
    audit_scores, audit_is_outlier, audit_probabilities
        Shape (m,), one for each audited inlier that has a label: the same, and the chance in (0, 1] with which this row
        was drawn and labelled, as :func:`~app.quality.labels.labelling_probabilities` gives it. Only how
        chances compare counts: halving all of them changes nothing.

    Raises
    ------
    ValueError
        If parts do not fit together, a score is not finite or a probability is not in (0, 1].
    """

    n_alarms: int
    n_inliers: int
    alarm_scores: NDArray[np.float64]
    alarm_is_outlier: NDArray[np.bool_]
    audit_scores: NDArray[np.float64]
    audit_is_outlier: NDArray[np.bool_]
    audit_probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
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
                raise ValueError(f"{name} holds a number that is not finite; pass the scores that were answered.")
        if not ((self.audit_probabilities > 0) & (self.audit_probabilities <= 1)).all():
            raise ValueError("audit_probabilities holds a number outside (0, 1]; pass the chances of being drawn.")


def labelling_probabilities(
    probabilities: NDArray[np.float64], was_labelled_before: NDArray[np.bool_], is_labelled: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Compute the chance with which each labelled row was drawn for the queue and has its label.

    The queue passes rows that somebody has labelled already, without asking. Misses are more often among them, since
    misses are complained about, and every one of them has a label, while some that are asked for get none. Taken alike,
    they would make misses look more frequent than they are. So an answered row also stands for those that were asked
    for in vain, and a row that was labelled before only for itself.

    Parameters
    ----------
    probabilities
        Shape (n,), in (0, 1]: the chance with which each row was drawn; one for each row that the queue has come to,
        whether handed out or passed.
    was_labelled_before
        Shape (n,): whether a row had a label when the queue came to it.
    is_labelled
        Shape (n,): whether it has one now.

    Returns
    -------
    One for each labelled row, in their order, in (0, 1]; they are ``audit_probabilities`` of
    :class:`~app.quality.labels.LabelledAnswers`.

    References
    ----------
    D. Holt and D. Elliot, "Methods of weighting for unit non-response", 1991 (weighting classes).

    Examples
    --------
    One row had a label. Of four others that were handed out, two were answered.

    >>> before, now = np.array([True, False, False, False, False]), np.array([True, True, False, True, False])
    >>> labelling_probabilities(np.full(5, 0.001), before, now)
    array([0.001 , 0.0005, 0.0005])
    """
    is_answered = is_labelled & ~was_labelled_before
    n_asked = int((~was_labelled_before).sum())
    answered_share = int(is_answered.sum()) / n_asked if n_asked else 1.0
    chances: NDArray[np.float64] = np.where(was_labelled_before, probabilities, probabilities * answered_share)
    return chances[is_labelled | was_labelled_before]
