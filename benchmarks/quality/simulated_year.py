"""A year of answers whose truth is known, and labels that come as they do in practice: mostly for alarms."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app.quality.labels import LabelledAnswers, labelling_probabilities
from app.quality.ranking import average_precision, roc_auc

# Scores come in so many steps: counts by step are the whole year, without a row for each answer.
_N_LEVELS = 2000

_LEVELS: NDArray[np.float64] = np.linspace(-0.85, -0.25, _N_LEVELS)

# A detector's usual alarm line.
_THRESHOLD = -0.5

# Scores of inliers and of outliers are spread like this.
_INLIERS = NormalDist(-0.40, 0.03)

# Chance that an inlier which is one gets a label without the queue: hardly anybody confirms that nothing is wrong.
_IDLE_LABELS = 1e-5


@dataclass(frozen=True)
class Scenario:
    """How many answers there are, how good the detector is, and who labels what.

    Parameters
    ----------
    name
        For the table.
    n_answers
        In the year.
    outlier_share
        Of all answers, in (0, 1).
    outlier_scores
        How the scores of outliers are spread; the farther below the alarm line, the fewer are missed.
    alarm_labels
        Chance that an alarm is labelled, whether right or not.
    audit_shares
        Chance that an inlier is drawn for the audit queue; its setting, one for each equal part of the year.
    handed_out
        Share of the drawn rows that the queue comes to.
    answered
        Chance that a row is labelled when it is handed out.
    complaints
        Chance that a miss is labelled without the queue: somebody complains.
    inlier_scores
        How the scores of inliers are spread.
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
    """One year as it came out.

    Parameters
    ----------
    answers
        What is known.
    truth
        The figures of all answers of this very year, labelled or not.
    naive_counts
        Labelled outliers that were caught, and all labelled ones, however their label came.
    """

    answers: LabelledAnswers
    truth: dict[str, float]
    naive_counts: tuple[int, int]


def simulate_year(scenario: Scenario, generator: np.random.Generator) -> SimulatedYear:
    """Draw a year, exactly as if row by row: what happens to rows of one kind is a binomial count."""
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
    reached = generator.binomial(drawn, scenario.handed_out)
    known = generator.binomial(reached, outside)
    asked = reached - known
    answered = generator.binomial(asked, scenario.answered)
    complained = generator.binomial(inliers - reached, outside)

    alarm_scores, alarm_is_outlier = _alarm_rows(labelled_alarms)
    audit_scores, audit_is_outlier, probabilities = _audit_rows(np.array(scenario.audit_shares), known, asked, answered)
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
    """Give the chance of each level."""
    density = np.array([scores.pdf(level) for level in _LEVELS])
    chances: NDArray[np.float64] = density / density.sum()
    return chances


def _alarm_rows(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Make a row of each labelled alarm: scores and labels."""
    scores = np.concatenate([np.repeat(_LEVELS, of_class) for of_class in counts])
    return scores, np.arange(len(scores)) < counts[0].sum()


def _audit_rows(
    shares: NDArray[np.float64], known: NDArray[np.int64], asked: NDArray[np.int64], answered: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Make a row of each labelled one that the queue came to: scores, labels and probabilities."""
    # Axes: known, answered or asked in vain, then those of the counts.
    states = np.stack([known, answered, asked - answered])
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
