"""A figure and the doubt that belongs to it.

The share of outliers among answers: it needs no labels, and shows a group that is flagged far more than others.

The quality figures of one group in one window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.quality.bootstrap import ends
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
        The figure, in [0, 1], the higher the better except for ``false_negative_rate``; None if labels do not suffice.
    low, high
        The ends of the interval, in [0, 1]; None where ``value`` is.
    n_labels
        How many labels it rests on, or would.
    reason
        Empty, or in words why there is no figure.

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
        """Say why there is no figure."""
        return cls(None, None, None, n_labels, f"not enough labels: {reason}")

    def complement(self) -> Estimate:
        """Turn a share into the share of the rest.

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
    """Outliers among answers.

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
        """The ends of the 95 % interval of the share that these answers are a sample of; None without answers."""
        return wilson_interval(self.n_outliers, self.n_rows) if self.n_rows else (None, None)

    def __add__(self, other: OutlierRatio) -> OutlierRatio:
        """Take two groups of answers together."""
        return OutlierRatio(self.n_outliers + other.n_outliers, self.n_rows + other.n_rows)


# The order in which people read them: alarms, misses, both together, then rankings without an alarm line.
METRICS: Final = ("precision", "recall", "false_negative_rate", "f1", "roc_auc", "average_precision")

# What weighs both classes against each other says nothing while one of them is hardly known.
_LEAST_OF_EACH_CLASS = 20

# A figure of caught and missed outliers.
_CountedFigure = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def estimate_quality(answers: LabelledAnswers, seed: int = 0) -> dict[str, Estimate]:
    """Estimate every figure of :data:`METRICS`, each with a 95 % interval.

    Parameters
    ----------
    answers
        Counts and labels; all answers come from one model version, or the ranking figures mean nothing.
    seed
        Of the draws behind the intervals: the same answers get the same figures.

    Returns
    -------
    By the names in ``METRICS``, in their order. A figure for which labels do not suffice says why.

    Examples
    --------
    8 of 10 labelled alarms are right, and of 1,000 audited inliers one was missed. There were 100 alarms among 100,000
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
    counts = count_outliers(answers, generator)
    if counts.caught == counts.missed == 0:
        figures["recall"] = Estimate.unknown("none of them is of an outlier", n_labels)
    else:
        figures["recall"] = _estimate_counted(_recall, counts, n_labels)
    figures["false_negative_rate"] = figures["recall"].complement()
    if reason := _why_no_balance(answers):
        return figures | {name: Estimate.unknown(reason, n_labels) for name in METRICS if name not in figures}
    figures["f1"] = _estimate_counted(partial(_f1, answers.n_alarms), counts, n_labels)
    ranking = Ranking(answers, generator)
    figures["roc_auc"] = Estimate(*ranking.estimate(roc_auc), n_labels)
    figures["average_precision"] = Estimate(*ranking.estimate(average_precision), n_labels)
    return figures


def _estimate_precision(answers: LabelledAnswers) -> Estimate:
    """Take the share of labelled alarms that are right."""
    n_labels, n_true = len(answers.alarm_is_outlier), int(answers.alarm_is_outlier.sum())
    if not n_labels:
        return Estimate.unknown("no alarm has one" if answers.n_alarms else "there was no alarm", 0)
    return Estimate(n_true / n_labels, *wilson_interval(n_true, n_labels), n_labels)


def _why_no_recall(answers: LabelledAnswers) -> str:
    """Say why nothing can be told of what was missed, if so: a side that has answers needs a label."""
    if answers.n_alarms and not len(answers.alarm_is_outlier):
        return "no alarm has one"
    if answers.n_inliers and not len(answers.audit_is_outlier):
        return "no audited inlier has one"
    return "" if answers.n_alarms or answers.n_inliers else "there was no answer"


def _why_no_balance(answers: LabelledAnswers) -> str:
    """Say why nothing can be told of what weighs outliers against inliers, if so."""
    n_outliers = int(answers.alarm_is_outlier.sum() + answers.audit_is_outlier.sum())
    n_inliers = len(answers.alarm_is_outlier) + len(answers.audit_is_outlier) - n_outliers
    if min(n_outliers, n_inliers) >= _LEAST_OF_EACH_CLASS:
        return ""
    return f"{n_outliers} outliers and {n_inliers} inliers have one, and {_LEAST_OF_EACH_CLASS} of each are needed"


def _estimate_counted(figure: _CountedFigure, counts: OutlierCounts, n_labels: int) -> Estimate:
    """Compute what rises with caught outliers and falls with missed ones, as well as its ends."""
    value = float(figure(np.array(counts.caught), np.array(counts.missed)))
    return Estimate(value, *ends(figure(*counts.pessimistic), figure(*counts.optimistic), value), n_labels)


def _recall(caught: NDArray[np.float64], missed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the share of outliers that were caught; where nothing was missed, all were."""
    recall: NDArray[np.float64] = np.divide(caught, caught + missed, out=np.ones_like(caught), where=missed > 0)
    return recall


def _f1(n_alarms: int, caught: NDArray[np.float64], missed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the harmonic mean of precision and recall."""
    f1: NDArray[np.float64] = 2 * caught / (n_alarms + caught + missed)
    return f1
