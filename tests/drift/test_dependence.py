"""Rows that resemble their neighbours widen thresholds; independent rows and changes do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.drift.counts import BLOCK
from app.drift.dependence import MAX_FACTOR, Dependence
from app.drift.detector import Kind
from app.drift.monitor import DriftMonitor
from app.drift.windows import round_to_single
from tests.drift.conftest import make_rows, score_rows
from training.drift.calibrate import find_bins

COLUMN = find_bins(round_to_single(make_rows(10_000, seed=1)[:, 0]))


def factor_of(values):
    """Return the factor after all blocks of these values."""
    dependence = Dependence([len(COLUMN.counts)])
    places = COLUMN.place(round_to_single(values))
    for first in range(0, len(places), BLOCK):
        dependence.add(places[first : first + BLOCK, None])
    return dependence.factor


def draw(n_rows, seed=5):
    """Independent values."""
    return make_rows(n_rows, seed)[:, 0]


@pytest.mark.parametrize("n_blocks", [1, 3, 15])
def test_independent_rows_have_the_factor_1(n_blocks):
    """Chance is not dependence."""
    assert [factor_of(draw(n_blocks * BLOCK, seed)) for seed in range(20)] == [1.0] * 20


@pytest.mark.parametrize("times", [2, 3, 5])
def test_repeated_rows_have_about_the_number_of_repetitions(times):
    """A little more, to be safe."""
    rows = np.repeat(draw(15 * BLOCK // times + 1), times)[: 15 * BLOCK]

    assert times <= factor_of(rows) <= times + 1.2


def test_sessions_of_similar_rows_count_by_their_length():
    """Ten rows of the lower or of the upper half."""
    values = np.sort(draw(20_000))
    halves = np.random.default_rng(1).integers(0, 2, 3 * BLOCK // 10)
    places = np.random.default_rng(2).integers(0, 10_000, (len(halves), 10))

    assert 7 <= factor_of(values[(10_000 * halves[:, None] + places).ravel()]) <= MAX_FACTOR


def test_factor_has_a_limit():
    """However long sessions are, clear changes must be found."""
    assert factor_of(np.repeat(draw(600), 50)) == MAX_FACTOR


def test_sudden_change_is_no_dependence():
    """Rows before it resemble each other no more than chance, and so do rows after it."""
    rows = draw(BLOCK)
    rows[900:] += 5

    assert factor_of(rows) == 1.0


def test_column_with_one_value_has_the_factor_1():
    """A stuck sensor; its neighbours are always equal."""
    assert factor_of(np.zeros(3 * BLOCK)) == 1.0


def test_repeated_rows_are_no_drift_and_a_clear_change_is(calibration):
    """The same rows, each sent three times: events come by the change only."""
    watch = DriftMonitor(calibration, ("mean", "sd"), 100, 30)
    rows = np.repeat(make_rows(5000, seed=5), 3, axis=0)
    scored = score_rows(np.vstack([rows, rows[:600] + 1]))

    events = [each for each in watch.update(*_columns(scored)).findings if each.kind is Kind.EVENT]

    assert watch.dependence > 2
    assert [each for each in events if 2 * BLOCK < each.row <= len(rows)] == []
    assert {each.detector for each in events if each.row > len(rows)} >= {"mmd", "cvm"}


@pytest.fixture(scope="module")
def of_long_windows(calibration):
    """For windows of 100 rows, whose statistics are about a fifth of those of 20."""
    thresholds = {
        name: replace(each, lines=each.lines / 5, confirming=each.confirming / 5)
        for name, each in calibration.thresholds.items()
    }
    return replace(calibration, window=100, thresholds=thresholds)


@pytest.mark.parametrize("seed", [1, 2])
def test_sessions_are_no_drift_before_their_dependence_is_known(of_long_windows, seed):
    """In the first 2,000 rows, where a factor of 1 leads to events."""
    watch = DriftMonitor(of_long_windows, ("mean", "sd"), 100, 30)
    rows = make_rows(20_000, seed=5)
    rows = rows[np.argsort(rows[:, 0])]
    generator = np.random.default_rng(seed)
    halves = np.repeat(generator.integers(0, 2, BLOCK // 10), 10)
    scored = score_rows(rows[10_000 * halves + generator.integers(0, 10_000, BLOCK)])

    before, line = watch.dependence, watch.detectors["mmd"].threshold
    findings = watch.update(*_columns(scored)).findings

    assert before == line / of_long_windows.thresholds["mmd"].lines[0] == 5
    assert [each for each in findings if each.kind is Kind.EVENT] == []
    assert watch.dependence > 7


def test_clear_change_is_an_event_before_the_dependence_is_known(of_long_windows):
    """As many windows later as confirm it."""
    watch = DriftMonitor(of_long_windows, ("mean", "sd"), 100, 30)
    rows = make_rows(BLOCK - 1, seed=5)
    rows[500:] += 1

    findings = watch.update(*_columns(score_rows(rows))).findings

    events = [each.row for each in findings if each.kind is Kind.EVENT]
    assert 0 < min(events) - 500 - 100 * watch.confirmation.n_windows <= 100


def test_state_without_a_measurement_is_as_cautious_as_a_start(of_long_windows):
    """Also one of an earlier release, after fewer than 2,000 rows or without counts."""
    watch = DriftMonitor(of_long_windows, ("mean", "sd"), 100, 30)
    watch.update(*_columns(score_rows(make_rows(300, seed=5))))
    for state in (watch.state(), watch.state() | {"counts": None}):
        restarted = DriftMonitor(of_long_windows, ("mean", "sd"), 100, 30)
        restarted.restore(state)
        assert restarted.describe()["detectors"]["cvm"]["threshold"] == watch.detectors["cvm"].threshold
        assert restarted.dependence == 5


def _columns(scored):
    """The arguments of ``update``."""
    return scored.rows, scored.scores, scored.labels
