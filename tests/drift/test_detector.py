"""A signal becomes an event only if the windows after it confirm it, and one drift is one event."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from app.drift.detector import Confirmation, Detector, Kind, Phase, Progress, plan_confirmation
from app.drift.thresholds import CONFIRMING_SHARES, Thresholds

QUIET, TAIL_SHARE, ALARMING = 0.1, 0.7, 2.0


@pytest.fixture
def detector() -> Detector:
    """Windows of three rows; a threshold of 3, then 1; two windows above 0.5 confirm."""
    thresholds = Thresholds(np.array([0, 1]), np.array([3.0, 1.0]), np.full(80, 0.5), run_time=300)
    return Detector(thresholds, Confirmation(2, 0.1), window=3)


def feed(detector: Detector, *statistics: float) -> list[Kind | None]:
    """Check several statistics."""
    return [detector.check(statistic) for statistic in statistics]


def test_detector_starts_without_a_full_window(detector: Detector):
    """It is in the phase for that, and has no statistic."""
    assert detector.progress.phase is Phase.FILLING
    assert detector.statistic is None
    assert detector.threshold == 3.0


def test_threshold_depends_on_the_row(detector: Detector):
    """A statistic that is no signal for the first full window is one for the second."""
    assert feed(detector, ALARMING, ALARMING) == [None, Kind.ALARM]


def test_signal_is_confirmed_by_windows_without_common_rows(detector: Detector):
    """Windows that share rows with the signal's or the previous one do not count."""
    feed(detector, QUIET, ALARMING)

    said = feed(detector, QUIET, QUIET, TAIL_SHARE, QUIET, QUIET, TAIL_SHARE)

    assert said == [None] * 5 + [Kind.EVENT]
    assert (detector.progress.alarms, detector.progress.events) == (1, 1)
    assert detector.progress.phase is Phase.DRIFTING


def test_one_quiet_window_ends_the_confirmation(detector: Detector):
    """The signal counts, the event does not, and the detector starts with its first threshold again."""
    feed(detector, QUIET, ALARMING)

    said = feed(detector, QUIET, QUIET, TAIL_SHARE, QUIET, QUIET, QUIET)

    assert said == [None] * 6
    assert (detector.progress.alarms, detector.progress.events) == (1, 0)
    assert detector.progress.phase is Phase.WATCHING
    assert detector.threshold == 3.0


def test_lasting_drift_is_one_event(detector: Detector):
    """However far beyond the threshold it stays."""
    said = feed(detector, QUIET, *[ALARMING] * 100)

    assert [kind for kind in said if kind] == [Kind.ALARM, Kind.EVENT]
    assert detector.progress.phase is Phase.DRIFTING


def test_drift_ends_after_consecutive_quiet_windows(detector: Detector):
    """As many as confirm one; a window beyond the threshold restarts the count."""
    feed(detector, QUIET, *[ALARMING] * 7)
    windows = {QUIET: [QUIET] * 3, TAIL_SHARE: [QUIET, QUIET, TAIL_SHARE]}

    feed(detector, *windows[QUIET], *windows[TAIL_SHARE], *windows[QUIET])
    assert detector.progress.phase == "drift"
    feed(detector, *windows[QUIET])

    assert detector.progress.phase == "no drift"
    assert feed(detector, QUIET, ALARMING) == [None, Kind.ALARM]


def test_progress_survives_serialization(detector: Detector):
    """With the type of its phase."""
    feed(detector, QUIET, ALARMING, QUIET)

    again = Progress.of(asdict(detector.progress))

    assert again == detector.progress
    assert again.phase is Phase.CONFIRMING


def test_replicas_that_divide_the_budget_keep_it_together():
    """Six replicas with 6 days each have less than one false event a day together, with 1 day each six times as many.

    Statistics without drift are independent here; decision 37 says why sums of expected events do not depend on that.
    """
    run_time, rows_per_day, n_days, n_replicas = 60, 864, 150, 6
    thresholds = Thresholds(np.array([0]), np.array([1 - 1 / run_time]), 1 - CONFIRMING_SHARES, float(run_time))

    def events_per_day(false_alarm_days: int) -> float:
        plan = plan_confirmation(run_time, rows_per_day / 86_400, false_alarm_days, n_detectors=1)
        total = 0
        for replica in range(n_replicas):
            watch = Detector(thresholds, plan, window=1)
            for statistic in np.random.default_rng(replica).random(rows_per_day * n_days).tolist():
                watch.check(statistic)
            total += watch.progress.events
        return total / n_days

    divided, undivided = events_per_day(n_replicas), events_per_day(1)

    # A plan leaves a factor of eight to spare.
    assert 0 < divided <= 1 / 4
    assert undivided > 3 * divided
