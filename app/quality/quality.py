"""The quality figures of one group in one window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.quality.estimate import Estimate
from app.quality.labelled_answers import LabelledAnswers
from app.quality.outlier_counts import OutlierCounts, count_outliers
from app.quality.ranking import Ranking
from app.quality.resampling import ends
from app.quality.weighted_ranking import average_precision, roc_auc
from app.quality.wilson import wilson_interval

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
