"""Run lengths and delays are counted from the right row, and streams have the described properties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.drift.calibration import CVM, MMD
from app.drift.monitor import DriftMonitor
from benchmarks.drift.changes import CHANGES
from benchmarks.drift.run_lengths import draw_from, measure_event, measure_runs, repeat_from
from tests.drift.conftest import make_rows, score_rows
from training.drift.calibrate import DriftParameters, calibrate


@pytest.fixture(scope="module")
def calibration():
    """Calibrate windows of ten rows for a hundred rows between signals."""
    training = score_rows(make_rows(6000, seed=1))
    reference, others = training.take(np.arange(2000)), training.take(np.arange(2000, 6000))
    return calibrate(reference, others, 0.03, DriftParameters(100, 10))


def change_at(row):
    """Return a stream that is shifted far away from this row on."""

    def draw(n_rows, first):
        rows = make_rows(n_rows, seed=first)
        return score_rows(np.where((first + np.arange(n_rows) >= row)[:, None], rows + 20, rows))

    return draw


def test_run_is_counted_from_the_first_full_window(calibration):
    """The row that completes it counts as 1; a stream that is far away from the start signals there."""
    assert measure_runs(calibration, change_at(0), [MMD, CVM]) == {MMD: 1, CVM: 1}


def test_delay_is_counted_from_the_change(calibration):
    """The first changed row counts as 1."""
    delays = measure_runs(calibration, change_at(50), [MMD, CVM], skipped_rows=50)

    assert 1 <= delays[MMD] <= 10
    assert 1 <= delays[CVM] <= 10


def test_event_is_counted_from_the_change(calibration):
    """It follows the signal by some whole windows."""
    watch = DriftMonitor(calibration, ("mean", "sd"), rows_per_second=1, false_alarm_days=1)

    rows = measure_event(watch, change_at(600), skipped_rows=600, max_rows=2000)

    assert watch.confirmation.n_windows * 10 < rows < watch.confirmation.n_windows * 10 + 100


def test_run_without_a_signal_ends(calibration):
    """After forty expected run times."""
    lasting = score_rows(np.tile(calibration.reference_rows[:1], (10, 1)))
    deaf = replace(
        calibration,
        thresholds={name: replace(each, lines=each.lines + 1e9) for name, each in calibration.thresholds.items()},
    )
    assert measure_runs(deaf, draw_from(lasting, np.random.default_rng(1)), [MMD]) == {MMD: 4000}


def test_rows_repeat_with_the_given_probability():
    """Also across calls."""
    rows = score_rows(np.arange(10_000.0)[:, None])
    source = repeat_from(rows, np.random.default_rng(1), share=0.5)

    stream = np.concatenate([source(100, first).rows.ravel() for first in range(0, 10_000, 100)])

    assert (np.diff(stream) == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert (stream[100::100] == stream[99:-1:100]).mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("name", list(CHANGES))
def test_changes_shift_rows(name):
    """All keep the shape; the slow one starts from the unchanged rows."""
    rows = make_rows(400, seed=1)
    changed = CHANGES[name](rows, 2500, np.random.default_rng(1))

    assert changed.shape == rows.shape
    moved = (changed != rows).any(axis=1).mean()
    assert moved == pytest.approx(0.05, abs=0.03) if "5 %" in name else moved == 1
    if "little by little" in name:
        assert changed[0] == pytest.approx(rows[0] + 0.15, abs=1e-3)
