"""Simulate a year of answers with known true labels, of which, as in practice, mostly alarms are labelled."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app.quality.labels import LabelledAnswers, labelling_probabilities
from app.quality.ranking import average_precision, roc_auc

# Number of distinct scores. Counts by score describe the whole year, without a row for each answer.
_N_LEVELS = 2000

_LEVELS: NDArray[np.float64] = np.linspace(-0.85, -0.25, _N_LEVELS)

# The usual threshold of a model.
_THRESHOLD = -0.5

# Distribution of the scores of inliers.
_INLIERS = NormalDist(-0.40, 0.03)

# Probability that a true inlier is labelled without the audit queue: people rarely confirm that nothing is wrong.
_IDLE_LABELS = 1e-5


@dataclass(frozen=True)
class Scenario:
    """Traffic, quality of the model, and which answers get labels.

    Parameters
    ----------
    name
        Title in the table.
    n_answers
        Answers in the year.
    outlier_share
        Share of outliers among all answers, in (0, 1).
    outlier_scores
        Distribution of the scores of outliers; the farther below the threshold, the fewer are missed.
    alarm_labels
        Probability that an alarm is labelled, whether it is right or not.
    audit_shares
        Probability that an inlier is drawn for the audit queue, which is its setting; one for each equal part of the
        year.
    handed_out
        Share of the drawn rows that the queue hands out.
    answered
        Probability that a row is labelled after it was handed out.
    complaints
        Probability that a missed outlier is labelled without the queue, because of a complaint.
    inlier_scores
        Distribution of the scores of inliers.
    """

    name: str
    n_answers: int
    outlier_share: float
    outlier_scores: NormalDist
    alarm_labels: float
    audit_shares: tuple[float, ...]
    handed_out: float = 0.8
    answered: float = 0.7
    complaints: float = 0.3
    inlier_scores: NormalDist = _INLIERS


@dataclass(frozen=True)
class SimulatedYear:
    """A simulated year.

    Parameters
    ----------
    answers
        The answers and their labels.
    truth
        The figures of all answers of this year, labelled or not.
    naive_counts
        Labelled outliers that were caught, and all labelled outliers, from whatever source.
    """

    answers: LabelledAnswers
    truth: dict[str, float]
    naive_counts: tuple[int, int]


def simulate_year(scenario: Scenario, generator: np.random.Generator) -> SimulatedYear:
    """Simulate a year; binomial counts of rows of one kind are equivalent to a simulation row by row."""
    n_parts = len(scenario.audit_shares)
    chances = np.concatenate(
        [
            scenario.outlier_share * _spread(scenario.outlier_scores),
            (1 - scenario.outlier_share) * _spread(scenario.inlier_scores),
        ]
    )
    # Axes: part of the year, outlier or inlier, level of the score.
    counts = generator.multinomial(scenario.n_answers, np.tile(chances / n_parts, n_parts))
    counts = counts.reshape(n_parts, 2, _N_LEVELS)
    is_alarm = _LEVELS < _THRESHOLD
    alarms, inliers = counts.sum(axis=0) * is_alarm, counts * ~is_alarm

    labelled_alarms = generator.binomial(alarms, scenario.alarm_labels)
    outside = np.array([scenario.complaints, _IDLE_LABELS])[:, np.newaxis]
    drawn = generator.binomial(inliers, np.array(scenario.audit_shares)[:, np.newaxis, np.newaxis])
    handed_out = generator.binomial(drawn, scenario.handed_out)
    known = generator.binomial(handed_out, outside)
    requested = handed_out - known
    answered = generator.binomial(requested, scenario.answered)
    complained = generator.binomial(inliers - handed_out, outside)

    alarm_scores, alarm_is_outlier = _alarm_rows(labelled_alarms)
    audit_scores, audit_is_outlier, probabilities = _audit_rows(
        np.array(scenario.audit_shares), known, requested, answered
    )
    answers = LabelledAnswers(
        int(alarms.sum()),
        int(inliers.sum()),
        alarm_scores,
        alarm_is_outlier,
        audit_scores,
        audit_is_outlier,
        probabilities,
    )
    naive_caught = int(labelled_alarms[0].sum())
    naive_missed = int((known + answered + complained)[:, 0].sum())
    return SimulatedYear(answers, _truth(counts.sum(axis=0), alarms), (naive_caught, naive_caught + naive_missed))


def _spread(scores: NormalDist) -> NDArray[np.float64]:
    """Return the probability of each score level."""
    density = np.array([scores.pdf(level) for level in _LEVELS])
    chances: NDArray[np.float64] = density / density.sum()
    return chances


def _alarm_rows(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Expand the counts of labelled alarms to rows: scores and labels."""
    scores = np.concatenate([np.repeat(_LEVELS, of_class) for of_class in counts])
    return scores, np.arange(len(scores)) < counts[0].sum()


def _audit_rows(
    shares: NDArray[np.float64], known: NDArray[np.int64], requested: NDArray[np.int64], answered: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Expand the counts of labelled audit rows to rows: scores, labels and labelling probabilities."""
    # Axes: known before, labelled or left unlabelled; then those of the counts.
    states = np.stack([known, answered, requested - answered])
    state, part, of_class, level = (np.repeat(axis, states.ravel()) for axis in np.indices(states.shape).reshape(4, -1))
    is_labelled = state < 2
    probabilities = labelling_probabilities(shares[part], state == 0, is_labelled)
    return _LEVELS[level[is_labelled]], of_class[is_labelled] == 0, probabilities


def _truth(counts: NDArray[np.int64], alarms: NDArray[np.int64]) -> dict[str, float]:
    """Compute each figure from all answers."""
    outliers, inliers = counts.astype(np.float64)
    caught, n_alarms, n_outliers = float(alarms[0].sum()), float(alarms.sum()), float(outliers.sum())
    return {
        "precision": caught / n_alarms,
        "recall": caught / n_outliers,
        "false_negative_rate": 1 - caught / n_outliers,
        "f1": 2 * caught / (n_alarms + n_outliers),
        "roc_auc": float(roc_auc(outliers, inliers)),
        "average_precision": float(average_precision(outliers, inliers)),
    }
