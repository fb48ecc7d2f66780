"""While nothing changes, drift signals are as rare as requested, on rows that calibration never saw."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from app.drift.calibration import CVM, DETECTORS, MMD, OUTLIER_RATE, SCORE, Calibration
from app.drift.detector import Kind
from app.drift.monitor import DriftMonitor
from app.drift.windows import SlidingStatistics
from app.model.encoding import Encoding
from app.model.schema import describe_columns
from tests.drift.conftest import make_rows, score_rows
from training.drift.calibrate import DriftParameters, calibrate
from training.errors import BadArgument

WINDOW, RUN_TIME = 10, 100


@pytest.fixture(scope="module")
def parts():
    """Return reference rows, calibration rows, and rows outside both."""
    scored = score_rows(make_rows(20_000, seed=1))
    return scored.take(np.arange(2000)), scored.take(np.arange(2000, 12_000)), scored.take(np.arange(12_000, 20_000))


@pytest.fixture(scope="module")
def calibration(parts):
    """Calibrate windows of ten rows for a hundred rows between signals."""
    reference, others, _ = parts
    return calibrate(reference, others, float((others.labels < 0).mean()), DriftParameters(RUN_TIME, WINDOW))


_STARTS = count(step=10**6)


def first_signals(statistics: SlidingStatistics, calibration, rows, generator, detectors=DETECTORS) -> dict[str, int]:
    """Run a stream until each detector has signalled; count from the first full window."""
    statistics.clear()
    lines = {name: calibration.thresholds[name].by_row() for name in detectors}
    found: dict[str, int] = {}
    # The random part of `outlier_rate` depends on the number of the row, so each stream starts at another one.
    row, start = 0, next(_STARTS)
    while len(found) < len(detectors):
        drawn = rows.take(generator.integers(0, len(rows), 200))
        for after_row in statistics.push(drawn.rows, drawn.scores, drawn.labels < 0, start + row):
            row += 1
            watched = row - WINDOW
            if watched < 0:
                continue
            for name, by_row in lines.items():
                if name not in found and after_row.by_detector[name] > by_row[min(watched, len(by_row) - 1)]:
                    found[name] = watched + 1
    return found


@pytest.mark.long
def test_run_length_is_the_requested_one(parts, calibration, is_long):
    """With the code of the service; the spread of run lengths, too, is that of a memoryless process."""
    generator = np.random.default_rng(5)
    n_runs = 2000 if is_long else 300

    statistics = SlidingStatistics(calibration)
    runs = [first_signals(statistics, calibration, parts[2], generator) for _ in range(n_runs)]

    for name in DETECTORS:
        lengths = np.array([run[name] for run in runs])
        assert 0.85 * RUN_TIME <= lengths.mean() <= 1.25 * RUN_TIME, name
        # A geometric distribution has a standard deviation equal to its mean, and a median of 0.69 times the mean.
        assert lengths.std() == pytest.approx(lengths.mean(), rel=0.2), name
        assert np.median(lengths) == pytest.approx(np.log(2) * lengths.mean(), rel=0.2), name


def test_rows_of_two_values_have_the_requested_run_length(is_long):
    """Statistics then take few values, and at a threshold equal to one of them only part of such windows signals."""
    scored = score_rows(np.random.default_rng(1).choice([0.0, 1.0], (9000, 1), p=[0.8, 0.2]))
    reference, others, apart = (scored.take(np.arange(*part)) for part in ((2000,), (2000, 6000), (6000, 9000)))
    calibration = calibrate(reference, others, float((scored.labels < 0).mean()), DriftParameters(RUN_TIME, WINDOW))
    generator = np.random.default_rng(5)

    statistics = SlidingStatistics(calibration)
    runs = [
        first_signals(statistics, calibration, apart, generator, (MMD, CVM, SCORE))
        for _ in range(400 if is_long else 120)
    ]

    for name in (MMD, CVM, SCORE):
        assert 0.85 * RUN_TIME <= np.mean([run[name] for run in runs]) <= 1.25 * RUN_TIME, name


def test_thresholds_follow_the_calibration_rows(parts):
    """If these are far from the reference, so are windows without drift, and thresholds are higher."""
    reference, others, _ = parts
    shifted = score_rows(others.rows + 1)

    near, far = (calibrate(reference, rows, 0.03, DriftParameters(RUN_TIME, WINDOW)) for rows in (others, shifted))

    assert far.thresholds[MMD].lines[-1] > 2 * near.thresholds[MMD].lines[-1]


def test_outlier_rate_follows_the_share_in_all_training_rows(parts, calibration):
    """How many of the outliers are among the reference rows is chance."""
    reference, others, _ = parts
    unflagged = replace(others, labels=np.ones_like(others.labels))

    made = calibrate(reference, unflagged, calibration.training_outlier_share, DriftParameters(RUN_TIME, WINDOW))

    assert made.thresholds[OUTLIER_RATE].by_row() == calibration.thresholds[OUTLIER_RATE].by_row()


@pytest.mark.long
def test_shift_is_detected_within_a_window(parts, calibration):
    """In both features or in one."""
    generator = np.random.default_rng(5)
    for shift in ((0.5, 0.5), (0.5, 0.0)):
        delays = []
        for _ in range(30):
            watch = DriftMonitor(calibration, ("mean", "sd"), 1, 0.01)
            rows = parts[2].rows[generator.integers(0, len(parts[2]), 60)]
            rows[30:] += shift
            scored = score_rows(rows)
            findings = watch.update(scored.rows, scored.scores, scored.labels).findings
            alarms = [finding.row - 30 for finding in findings if finding.kind is Kind.ALARM and finding.row > 30]
            delays.append(min(alarms, default=30))
        assert np.median(delays) <= WINDOW


def test_events_are_as_rare_as_promised(parts, calibration):
    """With so many allowed that a short stream has some: at most one false event in 1,000 rows."""
    generator, n_rows, rows_per_event = np.random.default_rng(5), 40_000, 1000
    watch = DriftMonitor(calibration, ("mean", "sd"), rows_per_second=1, false_alarm_days=rows_per_event / 86_400)
    drawn = parts[2].take(generator.integers(0, len(parts[2]), n_rows))

    findings = watch.update(drawn.rows, drawn.scores, drawn.labels).findings

    events = sum(finding.kind is Kind.EVENT for finding in findings)
    alarms = len(findings) - events
    assert alarms > 500
    # At most forty are promised; this leaves room for chance.
    assert 1 <= events <= 60


def test_disjoint_windows_confirm_independently(parts, calibration):
    """The share of windows above the threshold is as planned, also directly after such a window."""
    generator, n_windows = np.random.default_rng(5), 6000
    drawn = parts[2].take(generator.integers(0, len(parts[2]), n_windows * WINDOW))
    pushed = SlidingStatistics(calibration).push(drawn.rows, drawn.scores, drawn.labels < 0, 0)
    windows = list(pushed)[WINDOW - 1 :: WINDOW]

    for name in (MMD, CVM, SCORE):
        beyond = np.array([each.by_detector[name] for each in windows])
        beyond = beyond > calibration.thresholds[name].confirming_threshold(0.1)
        assert beyond.mean() == pytest.approx(0.1, abs=0.025)
        assert beyond[1:][beyond[:-1]].mean() == pytest.approx(beyond.mean(), abs=0.05)


def test_same_rows_give_the_same_thresholds(parts, calibration):
    """And the progress is reported."""
    shares: list[float] = []
    reference, others, _ = parts

    again = calibrate(
        reference, others, calibration.training_outlier_share, DriftParameters(RUN_TIME, WINDOW), shares.append
    )

    for name in DETECTORS:
        assert again.thresholds[name].by_row() == calibration.thresholds[name].by_row()
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_constant_features_and_many_features_are_calibrated():
    """A constant feature signals as soon as it varies, and wide tables use fewer simulated signals."""
    generator = np.random.default_rng(1)
    rows = np.column_stack([generator.normal(size=(4000, 6)), np.full(4000, 3.0)])
    scored = score_rows(rows)
    calibration = calibrate(
        scored.take(np.arange(2000)), scored.take(np.arange(2000, 4000)), 0.01, DriftParameters(RUN_TIME, WINDOW)
    )
    names = [*"abcdef", "constant"]
    watch = DriftMonitor(calibration, names, 1, 0.01)
    live = rows[:60].copy()
    live[20:, -1] = 3.1
    live_scored = score_rows(live)

    findings = watch.update(live_scored.rows, live_scored.scores, live_scored.labels).findings

    [alarm, *_] = [finding for finding in findings if finding.detector == CVM]
    assert alarm.feature == "constant"
    assert 20 < alarm.row <= 25


@pytest.mark.parametrize(
    ("run_time", "window", "message"),
    [
        (99, 10, "--drift-ert 99 is out of range; use 100 to 50000 rows."),
        (50_001, 10, "--drift-ert 50001 is out of range"),
        (300, 1, "--drift-window 1 is out of range; use 2 to 1000 rows."),
        (5000, 1001, "--drift-window 1001 is out of range"),
        (300, 301, "--drift-window 301 is more than --drift-ert 300; use less, or a longer run time."),
    ],
)
def test_parameters_out_of_range_are_refused(run_time, window, message):
    """The message names the option."""
    with pytest.raises(BadArgument) as refusal:
        DriftParameters(run_time, window)

    assert message in str(refusal.value)


def test_levels_have_no_order_for_whole_rows(tmp_path):
    """Numbering the levels of a category differently changes no statistic of MMD; before, it did."""
    generator = np.random.default_rng(6)
    rows = np.column_stack([generator.normal(size=5000), generator.choice(4, 5000, p=[0.4, 0.3, 0.2, 0.1])])
    live = rows[:100].copy()
    live[50:, 1] = 3
    # Level 3 is now level 0, level 0 is 2, and so on.
    new_numbers = np.array([2.0, 3.0, 1.0, 0.0])
    found = {}
    for case, numbers in {"one": np.arange(4.0), "another": new_numbers}.items():
        levels = tuple(f"level {number}" for number in np.argsort(numbers))
        encode = Encoding(describe_columns(("mean", "country"), _renumber(rows, numbers), {"country": levels})).encode
        parts = [_renumber(part, numbers) for part in (rows[:2000], rows[2000:], live)]
        reference, others, drifted = (replace(score_rows(part[:, :1]), rows=part) for part in parts)
        made = calibrate(reference, others, 0.01, DriftParameters(RUN_TIME, WINDOW), encode=encode)
        made.write(tmp_path / "drift.npz")
        np.savez(tmp_path / "reference.npz", rows=made.reference_rows)
        made = Calibration.read(tmp_path / "drift.npz", tmp_path / "reference.npz")
        for encodes in (True, False):
            made = replace(made, is_mmd_encoded=encodes)
            pushed = SlidingStatistics(made, encode).push(drifted.rows, drifted.scores, drifted.labels < 0, 0)
            found[case, encodes] = np.array([each.by_detector[MMD] for each in pushed][WINDOW - 1 :])

    assert found["one", True] == pytest.approx(found["another", True], abs=1e-9)
    assert found["one", False] != pytest.approx(found["another", False], abs=1e-3)


def _renumber(rows, numbers):
    """Return the rows with other numbers for the levels in the second column."""
    return np.column_stack([rows[:, 0], numbers[rows[:, 1].astype(int)]])
