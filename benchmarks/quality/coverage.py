"""How often the interval of each figure holds the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.quality.estimate import METRICS, estimate_quality
from app.quality.intervals import wilson_interval
from benchmarks.quality.simulated_year import Scenario, simulate_year


@dataclass(frozen=True)
class Held:
    """What became of one figure in many years.

    Parameters
    ----------
    n_known
        Years with an interval, the others did not have enough labels.
    n_held
        Years whose interval held the truth.
    mean_width
        Of the intervals, in [0, 1]; NaN without any.
    """

    n_known: int
    n_held: int
    mean_width: float

    @property
    def share(self) -> float:
        """Of the intervals that held the truth; NaN without any."""
        return self.n_held / self.n_known if self.n_known else float("nan")


@dataclass(frozen=True)
class Coverage:
    """What became of all figures in many years of one scenario.

    Parameters
    ----------
    figures
        By the names in ``METRICS``.
    naive_recall
        The share of caught outliers among all labelled ones, with Wilson's interval, as one would have it without an
        audit.
    mean_labelled_alarms, mean_audited, mean_misses
        Labels in a year: of alarms, of audited inliers, and those of them that were misses.
    """

    figures: dict[str, Held]
    naive_recall: Held
    mean_labelled_alarms: float
    mean_audited: float
    mean_misses: float


def measure_coverage(scenario: Scenario, n_years: int) -> Coverage:
    """Simulate so many years, each with a seed of its own, and look which intervals hold the truth of their year."""
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
    held = {name: _held(found) for name, found in intervals.items()}
    naive = held.pop("naive recall")
    alarms, audited, misses = np.mean(labels, axis=0)
    return Coverage(held, naive, float(alarms), float(audited), float(misses))


def _held(intervals: list[tuple[float, float, float]]) -> Held:
    """Count those that hold the truth, and take their mean width."""
    n_held = sum(low <= truth <= high for low, truth, high in intervals)
    widths = [high - low for low, _, high in intervals]
    return Held(len(intervals), n_held, float(np.mean(widths)) if widths else float("nan"))
