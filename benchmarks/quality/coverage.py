"""Measure how often the interval of each figure contains the true value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.quality.estimate import METRICS, estimate_quality
from app.quality.intervals import wilson_interval
from benchmarks.quality.simulated_year import Scenario, simulate_year


@dataclass(frozen=True)
class FigureCoverage:
    """How often the intervals of one figure contained the true value.

    Parameters
    ----------
    n_known
        Years with an interval; the other years did not have enough labels.
    n_held
        Years whose interval contained the true value.
    mean_width
        Mean width of the intervals, in [0, 1]; NaN if there are none.
    """

    n_known: int
    n_held: int
    mean_width: float

    @property
    def share(self) -> float:
        """The share of intervals that contained the true value; NaN if there are none."""
        return self.n_held / self.n_known if self.n_known else float("nan")


@dataclass(frozen=True)
class Coverage:
    """Coverage of all figures in many years of one scenario.

    Parameters
    ----------
    figures
        Coverage by the names in ``METRICS``.
    naive_recall
        Coverage of Wilson's interval for the share of caught outliers among all labelled outliers: the estimate that
        is available without an audit.
    mean_labelled_alarms, mean_audited, mean_misses
        Labels in a year: of alarms, of audited inliers, and of missed outliers among these.
    """

    figures: dict[str, FigureCoverage]
    naive_recall: FigureCoverage
    mean_labelled_alarms: float
    mean_audited: float
    mean_misses: float


def measure_coverage(scenario: Scenario, n_years: int) -> Coverage:
    """Simulate years with different seeds, and count the intervals that contain the true value of their year."""
    intervals: dict[str, list[tuple[float, float, float]]] = {name: [] for name in (*METRICS, "naive recall")}
    labels = []
    for seed in range(n_years):
        year = simulate_year(scenario, np.random.default_rng(seed))
        for name, figure in estimate_quality(year.answers).items():
            if figure.low is not None and figure.high is not None:
                intervals[name].append((figure.low, year.truth[name], figure.high))
        if year.naive_counts[1]:
            low, high = wilson_interval(*year.naive_counts)
            intervals["naive recall"].append((low, year.truth["recall"], high))
        is_miss = year.answers.audit_is_outlier
        labels.append((len(year.answers.alarm_scores), len(is_miss), is_miss.sum()))
    held = {name: _summarize(found) for name, found in intervals.items()}
    naive = held.pop("naive recall")
    alarms, audited, misses = np.mean(labels, axis=0)
    return Coverage(held, naive, float(alarms), float(audited), float(misses))


def _summarize(intervals: list[tuple[float, float, float]]) -> FigureCoverage:
    """Count the intervals that contain the true value, and compute their mean width."""
    n_held = sum(low <= truth <= high for low, truth, high in intervals)
    widths = [high - low for low, _, high in intervals]
    return FigureCoverage(len(intervals), n_held, float(np.mean(widths)) if widths else float("nan"))
