"""The counts, labels and true values of a simulated year are consistent."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.quality.simulated_year import Scenario, simulate_year

YEAR = Scenario("small", 20_000, 0.1, NormalDist(-0.53, 0.06), 0.5, (0.1, 0.4))


def simulate(seed=0, **changes):
    """Simulate the small year."""
    return simulate_year(Scenario(**(vars(YEAR) | changes)), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def known_year():
    """Return a year in which every row is labelled, so that the labels give the true values."""
    return simulate(alarm_labels=1.0, audit_shares=(1.0,), handed_out=1.0, answered=1.0)


def test_true_values_are_those_of_all_rows(known_year):
    """Compared with scikit-learn, row by row."""
    answers = known_year.answers
    is_outlier = np.append(answers.alarm_is_outlier, answers.audit_is_outlier)
    scores = np.append(answers.alarm_scores, answers.audit_scores)

    assert len(is_outlier) == answers.n_alarms + answers.n_inliers == YEAR.n_answers
    caught = answers.alarm_is_outlier.sum()
    assert known_year.truth == pytest.approx(
        {
            "precision": caught / answers.n_alarms,
            "recall": caught / is_outlier.sum(),
            "false_negative_rate": 1 - caught / is_outlier.sum(),
            "f1": 2 * caught / (answers.n_alarms + is_outlier.sum()),
            "roc_auc": roc_auc_score(is_outlier, -scores),
            "average_precision": average_precision_score(is_outlier, -scores),
        }
    )


def test_alarms_are_below_the_threshold(known_year):
    """Inliers are above it."""
    assert known_year.answers.alarm_scores.max() < -0.5 <= known_year.answers.audit_scores.min()
    assert known_year.answers.n_alarms == pytest.approx(20_000 * 0.1 * 0.69, rel=0.1)


def test_labels_are_as_frequent_as_in_the_scenario():
    """Half of the alarms, and the inliers that were handed out and answered, or complained about."""
    answers = simulate().answers

    assert len(answers.alarm_scores) == pytest.approx(0.5 * answers.n_alarms, rel=0.1)
    n_true_inliers = 20_000 * 0.9
    assert (~answers.audit_is_outlier).sum() == pytest.approx(n_true_inliers * 0.25 * 0.8 * 0.7, rel=0.1)
    n_missed = 20_000 * 0.1 * 0.31
    assert answers.audit_is_outlier.sum() == pytest.approx(n_missed * 0.25 * 0.8 * (0.3 + 0.7 * 0.7), rel=0.25)


def test_naive_count_includes_every_label():
    """Also missed outliers that were complained about, whether or not the queue handed them out."""
    without, with_complaints = simulate(complaints=0.0), simulate(complaints=1.0)

    assert without.naive_counts[1] - without.naive_counts[0] == without.answers.audit_is_outlier.sum()
    caught, labelled = with_complaints.naive_counts
    n_missed = round(with_complaints.truth["false_negative_rate"] * caught / with_complaints.truth["recall"])
    assert labelled - caught == pytest.approx(2 * n_missed, rel=0.2)
    assert with_complaints.answers.audit_is_outlier.sum() < n_missed


def test_year_depends_on_the_seed():
    """Equal seeds give equal years, different seeds different ones."""
    assert simulate().truth == simulate().truth != simulate(seed=1).truth
