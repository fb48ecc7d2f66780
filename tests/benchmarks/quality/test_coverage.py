"""Intervals contain the true values of a year; an estimate without audits does not."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from app.quality.estimate import METRICS
from benchmarks.quality.coverage import measure_coverage
from benchmarks.quality.scenarios import SCENARIOS

# The nominal coverage is 0.95, some of it by approximation.
PROMISED = 0.93

# The short run covers these: few labels, and no margin that would hide intervals that are too narrow.
SHORT = ("many misses are audited", "one alarm in a hundred is labelled", "outliers look like inliers, a small service")


# 2,000 years of a scenario take one or two minutes.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_intervals_contain_the_true_value(scenario, is_long):
    """In 93 % of 2,000 years; a short run fails by chance once in a million times."""
    if not is_long and scenario.name not in SHORT:
        pytest.skip("three scenarios are enough for a short run: run all with make test-long")
    n_years = 2000 if is_long else 150

    coverage = measure_coverage(scenario, n_years)

    for name in METRICS:
        held = coverage.figures[name]
        if held.n_known:
            least = PROMISED * held.n_known if is_long else binom.ppf(1e-6, held.n_known, PROMISED)
            assert held.n_held >= least, name
    assert coverage.figures["precision"].n_known == coverage.figures["recall"].n_known == n_years
    assert coverage.naive_recall.share < 0.05
