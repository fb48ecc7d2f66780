"""With the queue of alarms, intervals hold however people label; without it, a warning says why they do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.quality.broken_assumptions import HABITS, simulate_window

PROMISED = 0.93


@pytest.mark.timeout(900)
@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_intervals_hold_with_the_queue(habit, is_long):
    """In 93 % of 2,000 windows; a short run fails by chance once in a million times."""
    n_windows = 2000 if is_long else 20
    outcomes = [
        simulate_window(habit, has_queue=True, seed=seed, assumed_noise=habit.noise) for seed in range(n_windows)
    ]

    least = PROMISED * n_windows if is_long else binom.ppf(1e-6, n_windows, PROMISED)
    assert sum(each.precision is True for each in outcomes) >= least
    assert sum(each.recall is True for each in outcomes) >= least


@pytest.mark.parametrize("habit", HABITS[1:3], ids=lambda habit: habit.name)
def test_warning_where_intervals_fail_without_the_queue(habit):
    """Precision is always wrong, and always has the warning about scores."""
    outcomes = [simulate_window(habit, has_queue=False, seed=seed) for seed in range(20)]

    assert not any(each.precision for each in outcomes)
    assert all(any("have other scores" in warning for warning in each.warnings) for each in outcomes)


def test_warning_about_unchecked_labels_where_recall_fails():
    """With 2 % wrong labels that nobody knows of, recall is always wrong."""
    [habit] = [habit for habit in HABITS if habit.noise]
    outcomes = [simulate_window(habit, has_queue=True, seed=seed) for seed in range(20)]

    assert not any(each.recall for each in outcomes)
    assert all(any("Nobody has checked" in warning for warning in each.warnings) for each in outcomes)


def test_warnings_are_rare_without_a_reason():
    """Besides the one that nobody has checked the labels."""
    outcomes = [simulate_window(HABITS[0], has_queue=True, seed=seed) for seed in range(20)]

    assert np.mean([each.is_warned for each in outcomes]) < 0.25
