"""Small lasting changes become events, with the feature, and chance does not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from app.drift.calibration import COUNTS
from app.drift.counts import BLOCK, CountsDetector, find_power, find_threshold
from app.drift.detector import Kind, Phase
from app.drift.monitor import DriftMonitor
from app.drift.windows import round_to_single
from tests.drift.conftest import make_rows, score_rows
from training.drift.calibrate import find_bins

ROWS_PER_SECOND, DAYS = 100, 30

N_TRAINING = 20_000


def bins_of(rows):
    """Bins as training makes them."""
    scored = score_rows(rows)
    return tuple(find_bins(column) for column in round_to_single(np.column_stack([scored.rows, scored.scores])).T)


BINS = bins_of(make_rows(N_TRAINING, seed=1))
LINE = find_threshold(ROWS_PER_SECOND, 0.125, DAYS, len(BINS))


@pytest.fixture
def detector():
    """A detector with the threshold of the default settings."""
    return CountsDetector(BINS, LINE)


def push(detector, rows):
    """Push scored rows; return the row of each finding, its kind and column."""
    scored, findings, n_done = score_rows(rows), [], 0
    while n_done < len(rows):
        part = slice(n_done, n_done + detector.missing)
        evidence = detector.push(scored.rows[part], scored.scores[part])
        n_done += len(scored.rows[part])
        if evidence:
            findings += [(n_done, kind, evidence.column) for kind in detector.check(evidence)]
    return findings


def grow_lower_values(rows):
    """Move a tenth of the rows a little in the second feature, which no window of 100 rows shows."""
    changed = rows.copy()
    changed[::10, 1] *= 1.5
    return changed


def test_nothing_happens_without_a_change(detector):
    """In 60,000 rows, thirty times as many as it needs for a first comparison."""
    assert push(detector, make_rows(60_000, seed=5)) == []
    assert detector.progress.phase is Phase.WATCHING


def test_small_change_is_an_event_of_its_column(detector):
    """Within 30,000 rows, once; the score depends on the column."""
    findings = push(detector, grow_lower_values(make_rows(40_000, seed=5)))

    assert [kind for _, kind, _ in findings] == [Kind.ALARM, Kind.EVENT]
    assert findings[0][0] <= 30_000
    assert findings[0][2] in (1, 2)


def test_drift_ends_two_quiet_windows_after_the_change_and_is_forgotten(detector):
    """Rows of the drift, which would still be in longer windows, cause no second event."""
    drifted = make_rows(2 * BLOCK, seed=5) + 1

    first = push(detector, drifted)
    push(detector, make_rows(BLOCK, seed=6))
    phase_after_one = detector.progress.phase
    later = push(detector, make_rows(20 * BLOCK, seed=7))

    assert [kind for _, kind, _ in first] == [Kind.ALARM, Kind.EVENT]
    assert later == []
    assert phase_after_one is Phase.DRIFTING
    assert detector.progress.phase is Phase.WATCHING
    assert (detector.progress.alarms, detector.progress.events) == (1, 1)


@pytest.mark.parametrize("n_before", [0, 700, BLOCK, 5 * BLOCK + 1])
def test_restart_makes_no_difference(detector, n_before):
    """Within a block, between blocks, and while a drift lasts."""
    rows = make_rows(10 * BLOCK, seed=5)
    rows[3 * BLOCK : 6 * BLOCK] += 0.5
    push(detector, rows[:n_before])
    restarted = CountsDetector(BINS, LINE)

    restarted.restore(json.loads(json.dumps(detector.state(), allow_nan=False)))

    assert restarted.statistic == detector.statistic
    assert push(restarted, rows[n_before:]) == push(detector, rows[n_before:])
    assert restarted.state() == detector.state()


@pytest.mark.parametrize(
    "change",
    [
        *({"rows": "no base 64"}, {"rows": "AAA="}, {"rows": "////"}, {"rows": None}),
        *({"blocks": "AAAA"}, {"blocks": 1}),
        *({"found_by": 3}, {"found_by": None}, {"progress": {}}, {"measured": [[1.0]]}),
        *({"measured": [[float("inf")] * 51] * 3}, {"measured_blocks": -1}, {"measured_blocks": 0.5}),
    ],
)
def test_state_that_does_not_fit_is_refused(detector, change):
    """It would stop the detector later."""
    push(detector, make_rows(3000, seed=5))
    with pytest.raises((ValueError, KeyError, TypeError)):
        CountsDetector(BINS, LINE).restore(detector.state() | change)


def test_blocks_of_another_size_are_refused(detector):
    """Counts that do not add up to a block."""
    push(detector, make_rows(BLOCK, seed=5))
    state = detector.state()
    state["blocks"] = CountsDetector(BINS, LINE).state()["blocks"] + "AAAA" * (
        2 * sum(len(b.counts) for b in BINS) // 3
    )

    with pytest.raises(ValueError, match=r"do not fit the model|cannot reshape"):
        CountsDetector(BINS, LINE).restore(state)


@pytest.mark.parametrize("degrees", [1, 2, 9, 40, 255])
def test_power_is_that_of_the_chi_squared_distribution(degrees):
    """For SciPy's range; beyond it, the statistic continues to grow."""
    ratios = [0.5 * degrees, 2.0 * degrees, 3.0 * degrees + 60]

    assert [find_power(ratio, degrees) for ratio in ratios] == pytest.approx(
        [-chi2.logsf(ratio, degrees) / np.log(10) for ratio in ratios], abs=1e-3
    )
    assert find_power(1e5, degrees) > find_power(9e4, degrees) > 1000


@pytest.mark.parametrize("n_blocks", [1, 16])
def test_chance_exceeds_a_power_as_often_as_it_says(n_blocks):
    """With a new sample of 4,000 training rows each time, which is the smaller sample of the two for 16 blocks."""
    population = make_rows(50_000, seed=2)[:, 0]
    generator = np.random.default_rng(3)
    powers = []
    for _ in range(300):
        column = find_bins(round_to_single(generator.choice(population, 4000)))
        shares = np.bincount(column.place(round_to_single(population)), minlength=len(column.counts))
        counts = generator.multinomial(n_blocks * BLOCK, shares / shares.sum(), 10)
        ratios = CountsDetector([column], LINE).compute_ratios(counts, n_blocks * BLOCK)[:, 0]
        powers += [find_power(ratio, len(column.counts) - 1) for ratio in ratios.tolist()]

    assert np.mean(np.array(powers) > 1) == pytest.approx(0.1, abs=0.025)
    assert np.mean(np.array(powers) > 2) == pytest.approx(0.01, abs=0.008)


def test_monitor_names_the_feature_and_compares_after_each_block(calibration):
    """The row of the event is the last of a block, however rows are grouped."""
    watch = DriftMonitor(calibration, ("mean", "sd"), ROWS_PER_SECOND, DAYS, clock=lambda: 1.5)
    # Far rows of `sd` move, so windows of 20 rows rarely have one.
    rows = make_rows(14_000, seed=5)
    rows[rows[:, 1] > 2, 1] += 3
    scored = score_rows(rows)
    findings = []
    for first in range(0, len(rows), 900):
        part = slice(first, first + 900)
        findings += watch.update(scored.rows[part], scored.scores[part], scored.labels[part]).findings

    found = [finding for finding in findings if finding.detector == COUNTS]
    assert [finding.kind for finding in found] == [Kind.ALARM, Kind.EVENT]
    assert found[1].row % BLOCK == 0
    assert watch.describe()["detectors"][COUNTS]["last_event"]["row"] == found[1].row
    assert watch.active[COUNTS]
    assert found[1].feature in ("sd", "")


def test_bundle_of_an_earlier_release_has_the_other_detectors(calibration):
    """It has no bins."""
    watch = DriftMonitor(replace(calibration, bins=()), ("mean", "sd"), ROWS_PER_SECOND, DAYS)
    scored = score_rows(make_rows(BLOCK, seed=5))

    checks = watch.update(scored.rows, scored.scores, scored.labels)

    assert list(checks.ratios) == ["mmd", "cvm", "score", "outlier_rate"]
    assert watch.dependence == 1.0
    DriftMonitor(calibration, ("mean", "sd"), ROWS_PER_SECOND, DAYS).restore(watch.state())


def test_state_of_an_earlier_release_is_read(calibration):
    """It has no counts; they start from zero."""
    watch, restarted = (DriftMonitor(calibration, ("mean", "sd"), ROWS_PER_SECOND, DAYS) for _ in range(2))
    scored = score_rows(make_rows(50, seed=5))
    watch.update(scored.rows, scored.scores, scored.labels)
    state = watch.state()
    del state["counts"]

    restarted.restore(state)

    assert restarted.rows_seen == 50
    assert restarted.state()["counts"]["rows"] == ""
