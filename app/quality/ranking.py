"""Estimates how well scores rank outliers before inliers, from labelled rows that each stand for several answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.bootstrap import N_DRAWS_OF_RANKINGS, draw_weights, interval
from app.quality.labels import LabelledAnswers

# A figure as a function of outlier and inlier weights by rank, such as roc_auc.
RankingFigure = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

# At most so many groups of neighbouring scores are resampled, of alarms and of audited inliers. More groups change a
# figure by less than a thousandth, and take longer.
_MAX_GROUPS = 500

# Outlier and inlier weights, each of shape (ranks, draws).
_Weights = tuple[NDArray[np.float64], NDArray[np.float64]]


def roc_auc(outliers: NDArray[np.float64], inliers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the probability that a random outlier ranks before a random inlier; a tie counts half.

    Parameters
    ----------
    outliers, inliers
        Shape (n, ...): the weight of each class at each rank, the most abnormal score first. Equal scores share a rank.
        Both classes have a positive total weight.

    Returns
    -------
    Shape (...), in [0, 1]: higher is better.

    References
    ----------
    J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve", 1982.

    Examples
    --------
    The second rank has one of each class.

    >>> float(roc_auc(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0])))
    0.875
    """
    inliers_so_far = inliers.cumsum(axis=0)
    n_inliers = inliers_so_far[-1]
    # Half of the inliers at the same rank count as before, half as behind.
    behind = n_inliers - inliers_so_far
    behind += inliers / 2
    behind *= outliers
    auc: NDArray[np.float64] = behind.sum(axis=0) / (outliers.sum(axis=0) * n_inliers)
    # Rounding may exceed 1 by the last bit.
    return auc.clip(max=1)


def average_precision(outliers: NDArray[np.float64], inliers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the mean over all outliers of the precision of a threshold at their score.

    Parameters
    ----------
    outliers, inliers
        As for :func:`roc_auc`.

    Returns
    -------
    Shape (...), in [0, 1]: higher is better. A random ranking has the share of outliers.

    References
    ----------
    C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information Retrieval", 2008, section 8.4.

    Examples
    --------
    >>> round(float(average_precision(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0]))), 4)
    0.8333
    """
    outliers_so_far = outliers.cumsum(axis=0)
    total = outliers_so_far[-1].copy()
    flagged = inliers.cumsum(axis=0)
    flagged += outliers_so_far
    # Before the first row, precision is undefined, and no outlier needs it.
    np.divide(outliers_so_far, flagged, out=outliers_so_far, where=flagged > 0)
    outliers_so_far *= outliers
    result: NDArray[np.float64] = outliers_so_far.sum(axis=0) / total
    return result.clip(max=1)


@dataclass(frozen=True)
class _Source:
    """Labelled alarms, or labelled audited inliers; the sum of their weights is ``n_answers``."""

    scores: NDArray[np.float64]
    is_outlier: NDArray[np.bool_]
    weights: NDArray[np.float64]
    n_answers: int
    are_alarms: bool


class Ranking:
    """The labelled rows by score, each with the number of answers that it stands for, and draws of these numbers.

    Parameters
    ----------
    answers
        At least one alarm is labelled if there are alarms, and one inlier if there are inliers.
    generator
        The source of the random numbers.
    """

    def __init__(self, answers: LabelledAnswers, generator: np.random.Generator) -> None:
        sources = _sources(answers)
        rank = np.unique(np.concatenate([source.scores for source in sources]), return_inverse=True)[1]
        weights = np.concatenate([source.weights for source in sources])
        is_outlier = np.concatenate([source.is_outlier for source in sources])
        self._estimated = _sum_by(rank, weights * is_outlier), _sum_by(rank, weights * ~is_outlier)
        self._pessimistic, self._optimistic = _draw(sources, generator)

    def estimate(self, figure: RankingFigure) -> tuple[float, float, float]:
        """Compute a figure and the ends of its 95 % interval."""
        value = float(figure(*self._estimated))
        return value, *interval(figure(*self._pessimistic), figure(*self._optimistic), value)


def _sources(answers: LabelledAnswers) -> list[_Source]:
    """Return the labelled alarms and the labelled audited inliers, if there are any."""
    alarms, audits = [], []
    if answers.n_alarms:
        weights = answers.alarm_weights
        alarms = [_Source(answers.alarm_scores, answers.alarm_is_outlier, weights, answers.n_alarms, True)]
    if answers.n_inliers:
        weights = answers.audit_weights
        audits = [_Source(answers.audit_scores, answers.audit_is_outlier, weights, answers.n_inliers, False)]
    return alarms + audits


def _draw(sources: list[_Source], generator: np.random.Generator) -> tuple[_Weights, _Weights]:
    """Draw weights of both classes by rank, with the worst row of each source added, then with the best."""
    groups = [_group(source) for source in sources]
    distinct = np.unique(np.concatenate(groups))
    # The first and the last rank are for the additional rows.
    n_ranks = len(distinct) + 2
    drawn = np.zeros((2, 2, n_ranks, N_DRAWS_OF_RANKINGS))
    (worst_outliers, worst_inliers), (best_outliers, best_inliers) = drawn
    for source, scores in zip(sources, groups, strict=True):
        rank = np.searchsorted(distinct, scores) + 1
        outlier_ranks, outliers = _draw_class(source, rank, source.is_outlier, generator)
        inlier_ranks, inliers = _draw_class(source, rank, ~source.is_outlier, generator)
        # The additional row has the largest weight: it has the largest effect.
        added = source.weights.max() * generator.standard_exponential(N_DRAWS_OF_RANKINGS)
        scale = source.n_answers / (outliers.sum(axis=0) + inliers.sum(axis=0) + added)
        outliers *= scale
        inliers *= scale
        added *= scale
        for all_outliers, all_inliers in drawn:
            all_outliers[outlier_ranks] += outliers
            all_inliers[inlier_ranks] += inliers
        if source.are_alarms:
            worst_inliers[0] += added
            best_outliers[0] += added
        else:
            worst_outliers[-1] += added
            best_inliers[-1] += added
    return (worst_outliers, worst_inliers), (best_outliers, best_inliers)


def _draw_class(
    source: _Source, rank: NDArray[np.intp], is_in_class: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Draw the weights of one class: return the ranks where it has rows, and weights of shape (ranks, draws)."""
    weights = source.weights * is_in_class
    sums, squares = _sum_by(rank, weights), _sum_by(rank, weights**2)
    [ranks] = np.nonzero(sums)
    return ranks, draw_weights(sums[ranks], squares[ranks], N_DRAWS_OF_RANKINGS, generator)


def _group(source: _Source) -> NDArray[np.float64]:
    """Merge neighbouring scores where that changes no figure, and where there are too many."""
    distinct, place = np.unique(source.scores, return_inverse=True)
    has_outlier = np.bincount(place, source.is_outlier) > 0
    # Inliers without an outlier between them are equivalent.
    starts = np.append(True, has_outlier[1:] | has_outlier[:-1])
    group = np.cumsum(starts) - 1
    n_groups = int(group[-1]) + 1
    if n_groups > _MAX_GROUPS:
        group = group * _MAX_GROUPS // n_groups
    first = np.unique(group, return_index=True)[1]
    grouped: NDArray[np.float64] = distinct[first[group]][place]
    return grouped


def _sum_by(rank: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum weights by rank."""
    return np.bincount(rank, weights).astype(np.float64)
