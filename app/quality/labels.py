"""What quality is estimated from: counts of answers, and labels with the probability that each was collected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# With fewer labels from the queue of alarms, all labelled alarms are used: the queue has hardly been tried.
MIN_QUEUE_LABELS = 20


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
    alarm_probabilities
        The same for labelled alarms, shape (n,); None if all labelled alarms are taken for a random sample.

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
    alarm_probabilities: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check that the values are consistent."""
        for name, labels, others in (
            (
                "alarm_is_outlier",
                self.alarm_is_outlier,
                {"alarm_scores": self.alarm_scores, "alarm_probabilities": self._alarm_probabilities},
            ),
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
        for name, shares in (
            ("audit_probabilities", self.audit_probabilities),
            ("alarm_probabilities", self._alarm_probabilities),
        ):
            if not ((shares > 0) & (shares <= 1)).all():
                raise ValueError(f"{name} holds a number outside (0, 1]; pass the sampling probabilities.")

    @property
    def _alarm_probabilities(self) -> NDArray[np.float64]:
        """The probabilities of labelled alarms; 1 without a queue."""
        return np.ones(len(self.alarm_is_outlier)) if self.alarm_probabilities is None else self.alarm_probabilities

    @property
    def audit_weights(self) -> NDArray[np.float64]:
        """How many of the predicted inliers each audited one stands for.

        A row that was drawn with probability p stands for 1/p rows (Horvitz and Thompson). These weights are then
        scaled to the number of predicted inliers (Hájek), which is known exactly. So rows that were drawn but never
        labelled cost precision without making misses look rarer, and the random number of drawn rows has no effect.

        Returns
        -------
        Shape (m,), above 0; their sum is ``n_inliers``.

        References
        ----------
        D. G. Horvitz and D. J. Thompson, "A generalization of sampling without replacement from a finite universe",
        1952. J. Hájek, comment on "An essay on the logical foundations of survey sampling, part one", 1971.

        Examples
        --------
        >>> none = np.array([])
        >>> audited = np.array([-0.4, -0.4, -0.3]), np.array([True, False, False]), np.array([0.001, 0.001, 0.002])
        >>> LabelledAnswers(0, 5000, none, none.astype(bool), *audited).audit_weights
        array([2000., 2000., 1000.])
        """
        return _scale(1 / self.audit_probabilities, self.n_inliers)

    @property
    def alarm_weights(self) -> NDArray[np.float64]:
        """The same for labelled alarms: shape (n,), above 0; their sum is ``n_alarms``."""
        return _scale(1 / self._alarm_probabilities, self.n_alarms)

    @property
    def alarm_hits(self) -> tuple[float, float]:
        """Outliers among labelled alarms, and labelled alarms, as numbers of equally weighted labels.

        Labels with unequal weights are worth fewer: (sum of weights)² / (sum of squared weights).

        References
        ----------
        L. Kish, "Survey sampling", 1965 (effective sample size).

        Examples
        --------
        >>> none, both = np.array([]), np.array([True, False])
        >>> shares = np.array([1.0, 0.5])
        >>> LabelledAnswers(9, 0, np.zeros(2), both, none, none.astype(bool), none, shares).alarm_hits
        (0.6, 1.8)
        """
        weights, is_outlier = self.alarm_weights, self.alarm_is_outlier
        if self.alarm_probabilities is None:
            return float(is_outlier.sum()), float(len(is_outlier))
        n_effective = float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
        share = float(weights[is_outlier].sum() / weights.sum()) if len(weights) else 0.0
        return n_effective * share, n_effective


def _scale(weights: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    """Scale weights such that their sum is ``total``."""
    scaled: NDArray[np.float64] = weights * (total / weights.sum()) if len(weights) else weights
    return scaled


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
