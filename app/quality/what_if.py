"""Estimates what a threshold would have done on recorded traffic: alarms, precision and recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.estimate import Estimate, estimate_precision_and_recall
from app.quality.intervals import poisson_interval_of_sums
from app.quality.labels import LabelledAnswers

# From so many sampled rows on, the number that they stand for is normally distributed.
_MANY_ROWS = 100

# Of the normal distribution, for an interval of 95 %.
_NORMAL_QUANTILE = 1.959964

_BEYOND = (
    "not enough labels: this threshold would also have flagged rows that were not alarms, and few of those have a label"
)
_UNLABELLED_ALARMS = "not enough labels: none of the alarms that this threshold would not have flagged has one"


@dataclass(frozen=True)
class CountedAnswers:
    """Recorded answers, counted for each threshold; arrays have one element for each.

    Parameters
    ----------
    thresholds
        Scores, ascending.
    n_below
        Recorded answers with a lower score.
    n_sampled, sampled_total, sampled_squares
        Of those with an inclusion probability p below 1: their number, the sum of 1 / p and of its square.
    sampled_variance
        Horvitz and Thompson's variance of ``sampled_total``, for independently sampled rows: the sum of (1 - p) / p².
    n_alarms_above
        Alarms that this threshold would not have flagged.
    n_rows
        All answers, whatever their score, recorded or not.
    n_seconds
        The time in which they were given.
    largest_weight
        How many answers a recorded row may stand for at most; 1 if all were recorded.
    all_alarms_below
        The score below which every answer was an alarm, and so is recorded.
    """

    thresholds: NDArray[np.float64]
    n_below: NDArray[np.int64]
    n_sampled: NDArray[np.int64]
    sampled_total: NDArray[np.float64]
    sampled_squares: NDArray[np.float64]
    sampled_variance: NDArray[np.float64]
    n_alarms_above: NDArray[np.int64]
    n_rows: int
    n_seconds: float
    largest_weight: float
    all_alarms_below: float


@dataclass(frozen=True)
class KnownAnswers:
    """Answers with a true label: alarms, and inliers that the audit queue handed out.

    Parameters
    ----------
    scores, is_alarm, is_outlier
        Shape ``(n,)``.
    probabilities
        The probability with which an audited inlier was drawn and labelled; NaN for alarms. Same shape.
    """

    scores: NDArray[np.float64]
    is_alarm: NDArray[np.bool_]
    is_outlier: NDArray[np.bool_]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """What a threshold would have done.

    Parameters
    ----------
    threshold
        Rows with a lower score are alarms.
    n_alarms, low, high
        The number of alarms with a 95 % interval; all three equal if every answer below it is recorded.
    precision, recall
        Estimates from labels.
    """

    threshold: float
    n_alarms: float
    low: float
    high: float
    precision: Estimate
    recall: Estimate


def estimate_effects(answers: CountedAnswers, known: KnownAnswers) -> list[Effect]:
    """Estimate what each threshold would have done.

    Parameters
    ----------
    answers
        All recorded answers, counted for each threshold.
    known
        All answers with a label.
    """
    effects = []
    for place, threshold in enumerate(answers.thresholds.tolist()):
        low, high = _bound_alarms(answers, place)
        n_alarms = _count_certain(answers, place) + float(answers.sampled_total[place])
        effects.append(Effect(threshold, n_alarms, low, high, *_estimate_quality(answers, known, place)))
    return effects


def _count_certain(answers: CountedAnswers, place: int) -> float:
    """Return the number of rows below a threshold that were certain to be recorded."""
    return float(answers.n_below[place] - answers.n_sampled[place])


def _bound_alarms(answers: CountedAnswers, place: int) -> tuple[float, float]:
    """Return the 95 % interval of the number of alarms."""
    certain, total = _count_certain(answers, place), float(answers.sampled_total[place])
    if answers.largest_weight == 1 or answers.thresholds[place] <= answers.all_alarms_below:
        return certain + total, certain + total
    if answers.n_sampled[place] >= _MANY_ROWS:
        half = _NORMAL_QUANTILE * float(np.sqrt(answers.sampled_variance[place]))
        return max(float(answers.n_below[place]), certain + total - half), certain + total + half
    low, high = poisson_interval_of_sums(total, float(answers.sampled_squares[place]), answers.largest_weight)
    return certain + low, certain + high


def _estimate_quality(answers: CountedAnswers, known: KnownAnswers, place: int) -> tuple[Estimate, Estimate]:
    """Estimate precision and recall, as for the answers that were given, with another border between the labels."""
    threshold, n_below = float(answers.thresholds[place]), int(answers.n_below[place])
    is_below = known.scores < threshold
    if threshold > answers.all_alarms_below:
        beyond = Estimate(None, None, None, int(is_below.sum()), _BEYOND)
        return beyond, beyond
    # Alarms that would not have been alarms: labelled at random, like audited inliers, but with a share of their own.
    spared, n_spared = known.is_alarm & ~is_below, int(answers.n_alarms_above[place])
    share = min(1.0, int(spared.sum()) / n_spared) if n_spared else 1.0
    rest = ~is_below
    labelled = LabelledAnswers(
        n_alarms=max(n_below, int(is_below.sum())),
        n_inliers=max(answers.n_rows - n_below, int(rest.sum())),
        alarm_scores=known.scores[is_below],
        alarm_is_outlier=known.is_outlier[is_below],
        audit_scores=known.scores[rest],
        audit_is_outlier=known.is_outlier[rest],
        audit_probabilities=np.where(known.is_alarm[rest], share, known.probabilities[rest]),
    )
    precision, recall = estimate_precision_and_recall(labelled)
    if n_spared and not spared.any():
        recall = Estimate(None, None, None, len(known.scores), _UNLABELLED_ALARMS)
    elif not (~known.is_alarm).any() and answers.n_rows > n_below + n_spared:
        recall = Estimate.unknown("no audited inlier has one", len(known.scores))
    return precision, recall
