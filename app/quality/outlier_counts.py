"""Estimates how many outliers were caught and missed, with pessimistic and optimistic bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.bootstrap import N_DRAWS_OF_COUNTS, draw_weights
from app.quality.intervals import poisson_interval, wilson_interval
from app.quality.labels import LabelledAnswers

# With fewer audited misses, their number has an exact interval; from here on, it is resampled.
_FEW_MISSES = 10

# The intervals of caught and of missed outliers both hold with a probability of at least 1 - 0.01 - 0.04. Missed ones
# get most of the error, since a figure is uncertain mainly because few misses are known.
_CAUGHT_CONFIDENCE = 0.99
_MISSED_CONFIDENCE = 0.96

# Caught and missed outliers, each of shape (n,).
_Counts = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class OutlierCounts:
    """Outliers among all answers of the window.

    Parameters
    ----------
    caught, missed
        Estimated outliers among the alarms, and among the answered inliers.
    pessimistic, optimistic
        Few caught and many missed, and the reverse: each a pair (caught, missed) of shape (n,), either draws or, for
        n = 1, the ends of an interval.
    """

    caught: float
    missed: float
    pessimistic: _Counts
    optimistic: _Counts


def count_outliers(answers: LabelledAnswers, generator: np.random.Generator, noise: float = 0.0) -> OutlierCounts:
    """Estimate both counts. There are labelled alarms if there are alarms, and audited inliers if there are inliers.

    Parameters
    ----------
    answers
        Counts and labels.
    generator
        The source of the random numbers.
    noise
        Share of the labels of audited inliers that are wrong, whatever they should be; in [0, 0.5). The numbers of
        missed outliers are corrected by it.
    """
    weights = answers.audit_weights if answers.n_inliers else np.array([])
    misses = weights[answers.audit_is_outlier]
    hits, n_effective = answers.alarm_hits
    caught = answers.n_alarms * (hits / n_effective) if answers.n_alarms else 0.0
    missed = float(misses.sum())
    # A miss that stands for many rows is still one observation: with equal weights, this is the number of misses.
    effective_misses = missed**2 / float((misses**2).sum()) if len(misses) else 0.0
    bounds = _bound_few_misses if effective_misses < _FEW_MISSES else _draw_counts
    low, high = (
        (few_or_many, _without_wrong_labels(missed_too, answers.n_inliers, noise))
        for few_or_many, missed_too in bounds(answers, weights, generator)
    )
    return OutlierCounts(caught, float(_without_wrong_labels(np.array(missed), answers.n_inliers, noise)), low, high)


def _without_wrong_labels(missed: NDArray[np.float64], n_inliers: int, noise: float) -> NDArray[np.float64]:
    """Correct numbers of missed outliers for a share of wrong labels.

    References
    ----------
    W. J. Rogan and B. Gladen, "Estimating prevalence from the results of a screening test", American Journal of
    Epidemiology 107, 1978.
    """
    corrected: NDArray[np.float64] = ((missed - noise * n_inliers) / (1 - 2 * noise)).clip(0, n_inliers)
    return corrected if noise else missed


def _bound_few_misses(
    answers: LabelledAnswers, weights: NDArray[np.float64], _: np.random.Generator
) -> tuple[_Counts, _Counts]:
    """Combine the ends of the intervals of both counts: if both hold, so does any figure computed from them."""
    lowest = highest = min_missed = max_missed = 0.0
    if answers.n_alarms:
        lowest, highest = wilson_interval(*answers.alarm_hits, _CAUGHT_CONFIDENCE)
    if answers.n_inliers:
        misses = weights[answers.audit_is_outlier]
        min_missed, max_missed = poisson_interval(misses, float(weights.max()), _MISSED_CONFIDENCE)
    return (
        (np.array([answers.n_alarms * lowest]), np.array([min(max_missed, answers.n_inliers)])),
        (np.array([answers.n_alarms * highest]), np.array([min_missed])),
    )


def _draw_counts(
    answers: LabelledAnswers, weights: NDArray[np.float64], generator: np.random.Generator
) -> tuple[_Counts, _Counts]:
    """Resample both counts, with an additional false alarm and miss, then with an additional true alarm and inlier."""
    alarms = answers.alarm_weights
    # The additional row of either kind has the largest weight: it has the largest effect.
    with_one_more, heaviest = np.append(alarms, alarms.max(initial=0.0) or 1.0), np.append(weights, weights.max())
    drawn = []
    for is_best in (False, True):
        caught = _draw_share(with_one_more, np.append(answers.alarm_is_outlier, is_best), generator)
        missed = _draw_share(heaviest, np.append(answers.audit_is_outlier, not is_best), generator)
        drawn.append((answers.n_alarms * caught, answers.n_inliers * missed))
    return drawn[0], drawn[1]


def _draw_share(
    weights: NDArray[np.float64], is_outlier: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Resample the weighted share of outliers."""
    if is_outlier.all() or not is_outlier.any():
        return np.full(N_DRAWS_OF_COUNTS, float(is_outlier[0]))
    parts = [weights[is_outlier], weights[~is_outlier]]
    sums, squares = np.array([part.sum() for part in parts]), np.array([(part**2).sum() for part in parts])
    outliers, inliers = draw_weights(sums, squares, N_DRAWS_OF_COUNTS, generator)
    share: NDArray[np.float64] = outliers / (outliers + inliers)
    return share
