"""Counts of caught and missed outliers, and their bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, binomtest, chi2

from app.quality.outlier_counts import count_outliers


@pytest.fixture
def count():
    """Count with the same draws each time."""
    return lambda answers: count_outliers(answers, np.random.default_rng(0))


def with_misses(answers, n_misses):
    """Make a number of audited inliers misses."""
    return replace(answers, audit_is_outlier=np.arange(len(answers.audit_scores)) < n_misses)


def test_counts_stand_for_all_answers(answers, count):
    """30 of 50 labelled alarms are 60 of 100, and 20 of 1,000 audited inliers 2,000 of 100,000."""
    counts = count(answers)

    assert (counts.caught, counts.missed) == pytest.approx((60, 2000))


def test_rows_weigh_by_the_inverse_of_their_probability(answers, count):
    """Rows that were drawn half as often stand for twice as many, at any probability."""
    chances = np.where(answers.audit_is_outlier, 0.02, 0.04)

    assert count(replace(answers, audit_probabilities=chances)).missed == pytest.approx(100_000 * 40 / (40 + 980))
    assert count(replace(answers, audit_probabilities=chances / 7)).missed == pytest.approx(100_000 * 40 / 1020)
    assert answers.audit_weights.sum() == pytest.approx(100_000)


@pytest.mark.parametrize("n_misses", [0, 1, 9])
def test_few_misses_have_exact_bounds(answers, count, n_misses):
    """From a Poisson interval for misses, and from Wilson's for alarms; 1 % and 4 % are beyond."""
    counts = count(with_misses(answers, n_misses))

    wilson = binomtest(30, 50).proportion_ci(0.99, method="wilson")
    most, fewest = chi2.ppf(0.98, 2 * n_misses + 2) / 2, chi2.ppf(0.02, 2 * n_misses) / 2 if n_misses else 0.0
    assert np.ravel(counts.pessimistic) == pytest.approx([100 * wilson.low, 100 * most])
    assert np.ravel(counts.optimistic) == pytest.approx([100 * wilson.high, 100 * fewest])


def test_many_misses_are_resampled_with_an_additional_row(answers, count):
    """Their quantiles are those of the exact binomial interval: of a beta distribution with one more row."""
    counts = count(with_misses(answers, 10))

    fewest, most = (100_000 * beta.ppf(*share) for share in ((0.025, 10, 991), (0.975, 11, 990)))
    assert np.quantile(counts.pessimistic[1], 0.975) == pytest.approx(most, rel=0.03)
    assert np.quantile(counts.optimistic[1], 0.025) == pytest.approx(fewest, rel=0.03)
    assert np.quantile(counts.pessimistic[0], 0.025) == pytest.approx(100 * beta.ppf(0.025, 30, 21), rel=0.03)
    assert np.quantile(counts.optimistic[0], 0.975) == pytest.approx(100 * beta.ppf(0.975, 31, 20), rel=0.03)


def test_misses_dominated_by_one_are_few(answers, count):
    """Twenty misses are like one if one of them stands for nearly all."""
    chances = np.where(np.arange(1000) == 0, 0.0001, 1.0)

    assert len(count(replace(answers, audit_probabilities=chances)).pessimistic[0]) == 1
    assert len(count(answers).pessimistic[0]) > 1


def test_no_more_are_missed_than_there_are_inliers(answers, count, keep):
    """A single audited inlier leaves everything open."""
    counts = count(keep(with_misses(answers, 0), n_audited=1))

    assert counts.pessimistic[1] == [100_000]


@pytest.mark.parametrize("is_right", [False, True])
def test_alarms_with_equal_labels_are_not_certain(answers, count, is_right):
    """50 equal labels leave room for some of the other kind."""
    counts = count(replace(answers, alarm_is_outlier=np.full(50, is_right)))

    assert np.quantile(counts.pessimistic[0], 0.025) == pytest.approx(
        100 * 0.025 ** (1 / 50) if is_right else 0, rel=0.02
    )
    assert np.quantile(counts.optimistic[0], 0.975) == pytest.approx(
        100 if is_right else 100 * (1 - 0.025 ** (1 / 50)), rel=0.1
    )
