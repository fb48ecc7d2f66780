"""Quality figures of a group of answers, each with a 95 % interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.quality.bootstrap import interval
from app.quality.figures import MIN_LABELS_PER_CLASS, f1_score, recall
from app.quality.intervals import wilson_interval
from app.quality.labels import LabelledAnswers
from app.quality.outlier_counts import OutlierCounts, count_outliers
from app.quality.ranking import Ranking, average_precision, roc_auc


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, or the reason why there is none.

    Parameters
    ----------
    value
        The figure, in [0, 1]: higher is better, except for ``false_negative_rate``. None if there are too few labels.
    low, high
        The ends of the interval, in [0, 1]; None where ``value`` is.
    n_labels
        The number of labels that it is, or would be, based on.
    reason
        Why there is no figure; empty if there is one.

    Examples
    --------
    >>> Estimate.unknown("no alarm has a label", n_labels=0)
    Estimate(value=None, low=None, high=None, n_labels=0, reason='not enough labels: no alarm has a label')
    """

    value: float | None
    low: float | None
    high: float | None
    n_labels: int
    reason: str = ""

    @classmethod
    def unknown(cls, reason: str, n_labels: int) -> Estimate:
        """Return an estimate without a figure."""
        return cls(None, None, None, n_labels, f"not enough labels: {reason}")

    def complement(self) -> Estimate:
        """Return the estimate of 1 minus the figure.

        Examples
        --------
        >>> Estimate(0.75, 0.5, 1.0, n_labels=8).complement()
        Estimate(value=0.25, low=0.0, high=0.5, n_labels=8, reason='')
        """
        if self.value is None or self.low is None or self.high is None:
            return self
        return Estimate(1 - self.value, 1 - self.high, 1 - self.low, self.n_labels, self.reason)


@dataclass(frozen=True)
class OutlierRatio:
    """The share of predicted outliers. It needs no labels, and shows which groups are flagged far more than others.

    Parameters
    ----------
    n_outliers, n_rows
        Exact counts.

    Examples
    --------
    >>> ratio = OutlierRatio(3, 100)
    >>> ratio.value, [round(end, 3) for end in ratio.interval]
    (0.03, [0.01, 0.085])
    >>> OutlierRatio(0, 0).value is None
    True
    """

    n_outliers: int
    n_rows: int

    @property
    def value(self) -> float | None:
        """The share, in [0, 1]; None without answers."""
        return self.n_outliers / self.n_rows if self.n_rows else None

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """The 95 % interval of the underlying share, of which these answers are a sample; None without answers."""
        return wilson_interval(self.n_outliers, self.n_rows) if self.n_rows else (None, None)

    def __add__(self, other: OutlierRatio) -> OutlierRatio:
        """Combine two groups of answers."""
        return OutlierRatio(self.n_outliers + other.n_outliers, self.n_rows + other.n_rows)


# In the order in which people read them: about alarms, misses, both, then rankings without a threshold.
METRICS: Final = ("precision", "recall", "false_negative_rate", "f1", "roc_auc", "average_precision")

# A figure as a function of caught and missed outliers.
_CountedFigure = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def estimate_quality(answers: LabelledAnswers, seed: int = 0, noise: float = 0.0) -> dict[str, Estimate]:
    """Estimate every figure of :data:`METRICS`, each with a 95 % interval.

    Parameters
    ----------
    answers
        Counts and labels, from one model version; scores of several versions cannot be ranked together.
    seed
        Seed of the draws for the intervals: equal answers get equal figures.
    noise
        Share of wrong labels of audited inliers, in [0, 0.5), by which all figures but precision and the rankings are
        corrected.

    Returns
    -------
    Estimates by the names in ``METRICS``, in their order. An estimate without enough labels has the reason.

    Examples
    --------
    8 of 10 labelled alarms are outliers, and so is one of 1,000 audited inliers. There were 100 alarms among 100,000
    answers, so 80 outliers were caught, and about a thousandth of the 99,900 others was missed.

    >>> answers = LabelledAnswers(
    ...     n_alarms=100,
    ...     n_inliers=99_900,
    ...     alarm_scores=np.linspace(-0.8, -0.6, 10),
    ...     alarm_is_outlier=np.arange(10) < 8,
    ...     audit_scores=np.linspace(-0.5, -0.3, 1000),
    ...     audit_is_outlier=np.arange(1000) < 1,
    ...     audit_probabilities=np.full(1000, 0.02),
    ... )
    >>> quality = estimate_quality(answers)
    >>> {name: (round(figure.low, 2), round(figure.value, 2), round(figure.high, 2))
    ...  for name, figure in quality.items() if figure.value is not None}
    {'precision': (0.49, 0.8, 0.94), 'recall': (0.06, 0.44, 0.98), 'false_negative_rate': (0.02, 0.56, 0.94)}
    >>> quality["f1"].reason
    'not enough labels: 9 outliers and 1001 inliers have one, and 20 of each are needed'
    """
    n_labels = len(answers.alarm_is_outlier) + len(answers.audit_is_outlier)
    figures = {"precision": _estimate_precision(answers)}
    if reason := _why_no_recall(answers):
        return figures | {name: Estimate.unknown(reason, n_labels) for name in METRICS if name != "precision"}
    generator = np.random.default_rng(seed)
    counts = count_outliers(answers, generator, noise)
    figures["recall"] = _estimate_recall(counts, n_labels)
    figures["false_negative_rate"] = figures["recall"].complement()
    if reason := _why_no_balance(answers):
        return figures | {name: Estimate.unknown(reason, n_labels) for name in METRICS if name not in figures}
    figures["f1"] = _estimate_counted(partial(f1_score, flagged=answers.n_alarms), counts, n_labels)
    ranking = Ranking(answers, generator)
    figures["roc_auc"] = Estimate(*ranking.estimate(roc_auc), n_labels)
    figures["average_precision"] = Estimate(*ranking.estimate(average_precision), n_labels)
    return figures


def estimate_precision_and_recall(
    answers: LabelledAnswers, seed: int = 0, noise: float = 0.0
) -> tuple[Estimate, Estimate]:
    """Estimate these two as :func:`estimate_quality` does, in a hundredth of its time."""
    n_labels = len(answers.alarm_is_outlier) + len(answers.audit_is_outlier)
    precision = _estimate_precision(answers)
    if reason := _why_no_recall(answers):
        return precision, Estimate.unknown(reason, n_labels)
    return precision, _estimate_recall(count_outliers(answers, np.random.default_rng(seed), noise), n_labels)


def _estimate_recall(counts: OutlierCounts, n_labels: int) -> Estimate:
    """Estimate recall, if any label is of an outlier."""
    if counts.caught == counts.missed == 0:
        return Estimate.unknown("none of them is of an outlier", n_labels)
    return _estimate_counted(recall, counts, n_labels)


def _estimate_precision(answers: LabelledAnswers) -> Estimate:
    """Estimate precision: the share of alarms that are outliers, from labelled ones."""
    n_labels = len(answers.alarm_is_outlier)
    if not n_labels:
        return Estimate.unknown("no alarm has one" if answers.n_alarms else "there was no alarm", 0)
    hits, n_effective = answers.alarm_hits
    return Estimate(hits / n_effective, *wilson_interval(hits, n_effective), n_labels)


def _why_no_recall(answers: LabelledAnswers) -> str:
    """Return why recall cannot be estimated, or an empty text: each side that has answers needs a label."""
    if answers.n_alarms and not len(answers.alarm_is_outlier):
        return "no alarm has one"
    if answers.n_inliers and not len(answers.audit_is_outlier):
        return "no audited inlier has one"
    return "" if answers.n_alarms or answers.n_inliers else "there was no answer"


def _why_no_balance(answers: LabelledAnswers) -> str:
    """Return why figures that weigh outliers against inliers cannot be estimated, or an empty text."""
    n_outliers = int(answers.alarm_is_outlier.sum() + answers.audit_is_outlier.sum())
    n_inliers = len(answers.alarm_is_outlier) + len(answers.audit_is_outlier) - n_outliers
    if min(n_outliers, n_inliers) >= MIN_LABELS_PER_CLASS:
        return ""
    return f"{n_outliers} outliers and {n_inliers} inliers have one, and {MIN_LABELS_PER_CLASS} of each are needed"


def _estimate_counted(figure: _CountedFigure, counts: OutlierCounts, n_labels: int) -> Estimate:
    """Estimate a figure that rises with caught outliers and falls with missed ones."""
    value = float(figure(np.array(counts.caught), np.array(counts.missed)))
    return Estimate(value, *interval(figure(*counts.pessimistic), figure(*counts.optimistic), value), n_labels)
