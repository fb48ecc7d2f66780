"""What is known about the answers of one group in one window."""

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
        was drawn and labelled, as :func:`~app.quality.audit_probabilities.labelling_probabilities` gives it. Only how
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
