"""Scored rows lead to findings once, with the feature, independent of how the rows are grouped."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.drift.calibration import ALL_DETECTORS, DETECTORS
from app.drift.detector import Kind, Phase
from app.drift.monitor import DriftMonitor
from tests.drift.conftest import make_rows, score_rows

# So that few windows confirm.
ROWS_PER_SECOND, FALSE_ALARM_DAYS = 1, 1


@pytest.fixture
def watch(calibration):
    """A new monitor with a fixed time."""
    return DriftMonitor(calibration, ("mean", "sd"), ROWS_PER_SECOND, FALSE_ALARM_DAYS, clock=lambda: 1.5)


def update(watch, rows):
    """Score rows, and update the monitor with them."""
    scored = score_rows(rows)
    return watch.update(scored.rows, scored.scores, scored.labels)


def test_too_few_rows_are_a_phase_of_their_own(watch):
    """Nothing is checked before the window is full."""
    checks = update(watch, make_rows(19, seed=5))

    assert checks.ratios == {name: [] for name in ALL_DETECTORS}
    assert watch.fill == 0.95
    assert {each["state"] for each in watch.describe()["detectors"].values()} == {"not enough rows yet"}

    checks = update(watch, make_rows(3, seed=6))

    assert {name: len(ratios) for name, ratios in checks.ratios.items()} == dict.fromkeys(DETECTORS, 3) | {"counts": 0}
    assert watch.describe()["detectors"]["mmd"]["state"] == "no drift"


def test_ratio_is_the_statistic_over_the_threshold_of_its_row(watch):
    """1 is the threshold, for any row."""
    for row in make_rows(60, seed=5):
        lines = {name: detector.threshold for name, detector in watch.detectors.items()}
        ratios = update(watch, row[None]).ratios
        for name, detector in watch.detectors.items():
            assert ratios[name] == ([] if detector.statistic is None else [detector.statistic / lines[name]])


@pytest.mark.parametrize(("column", "feature"), [(0, "mean"), (1, "sd")])
def test_moved_feature_is_named(watch, column, feature):
    """In the signal, in the event, and as the farthest feature."""
    rows = make_rows(400, seed=5)
    rows[100:, column] += 1

    findings = [finding for finding in update(watch, rows).findings if finding.detector == "cvm" and finding.row > 100]

    assert [finding.kind for finding in findings] == [Kind.ALARM, Kind.EVENT]
    assert [finding.feature for finding in findings] == [feature, feature]
    assert findings[0].row < 120
    assert findings[1].row == findings[0].row + watch.confirmation.n_windows * 20
    assert findings[1].seconds == 1.5
    described = watch.describe()["detectors"]["cvm"]
    assert next(iter(described["features"])) == feature
    assert watch.feature_distances[feature] > 1
    assert described["last_event"]["row"] == findings[1].row


def test_drift_ends_when_rows_are_as_before(watch):
    """There is one event for the whole drift."""
    rows = make_rows(1200, seed=5)
    rows[100:600] += 1

    during = update(watch, rows[:600])
    assert watch.active["mmd"]
    update(watch, rows[600:])

    assert [finding.kind for finding in during.findings if finding.detector == "mmd"].count(Kind.EVENT) == 1
    assert watch.active == dict.fromkeys(ALL_DETECTORS, False)


def test_share_of_outliers_has_its_own_detector(watch):
    """Labels alone can trigger it."""
    scored = score_rows(make_rows(200, seed=5))
    labels = np.where(np.arange(200) >= 100, -1, scored.labels)

    findings = watch.update(scored.rows, scored.scores, labels).findings

    assert ("outlier_rate", Kind.EVENT) in {(finding.detector, finding.kind) for finding in findings}
    assert watch.detectors["outlier_rate"].progress.phase is Phase.DRIFTING


def test_grouping_of_rows_makes_no_difference(calibration):
    """One row at a time or many: the same ratios, signals and events."""
    rows = make_rows(500, seed=5)
    rows[300:] += 0.5
    scored = score_rows(rows)
    outcomes = []
    for at_once in (1, 7, 500):
        watch = DriftMonitor(calibration, ("mean", "sd"), ROWS_PER_SECOND, FALSE_ALARM_DAYS, clock=lambda: 0.0)
        ratios: dict[str, list[float]] = {name: [] for name in DETECTORS}
        findings = []
        for first in range(0, 500, at_once):
            part = slice(first, first + at_once)
            checks = watch.update(scored.rows[part], scored.scores[part], scored.labels[part])
            findings += checks.findings
            for name in DETECTORS:
                ratios[name] += checks.ratios[name]
        outcomes.append((ratios, findings))

    for ratios, findings in outcomes[1:]:
        assert findings == outcomes[0][1]
        for name in DETECTORS:
            assert ratios[name] == pytest.approx(outcomes[0][0][name], abs=1e-10)
    assert len(outcomes[0][1]) >= 4


def test_single_precision_rows_are_the_same_rows(calibration):
    """Half of the rows have repeated values, which a client may round to float32."""
    scored = score_rows(make_rows(300, seed=5))
    findings, statistics = [], []
    for dtype in (np.float64, np.float32):
        watch = DriftMonitor(calibration, ("mean", "sd"), ROWS_PER_SECOND, FALSE_ALARM_DAYS, clock=lambda: 0.0)
        findings.append(watch.update(scored.rows.astype(dtype), scored.scores, scored.labels).findings)
        statistics.append({name: detector.statistic for name, detector in watch.detectors.items()})

    assert findings[0] == findings[1]
    assert statistics[0] == statistics[1]


@pytest.mark.parametrize("n_before", [0, 5, 20, 130, 170, 300])
def test_restart_makes_no_difference(calibration, n_before):
    """In any phase, the new monitor finds what the old one would have found."""
    rows = make_rows(500, seed=5)
    rows[120:260] += 0.5

    def new_watch():
        return DriftMonitor(calibration, ("mean", "sd"), ROWS_PER_SECOND, FALSE_ALARM_DAYS, clock=lambda: 0.0)

    watch, restarted = new_watch(), new_watch()
    update(watch, rows[:n_before]) if n_before else None

    restarted.restore(json.loads(json.dumps(watch.state(), allow_nan=False)))
    assert restarted.describe() == approximately(watch.describe())
    findings = update(watch, rows[n_before:]).findings

    assert update(restarted, rows[n_before:]).findings == findings
    assert restarted.describe() == approximately(watch.describe())


def approximately(described):
    """Compare numbers up to the order of summation."""
    if isinstance(described, dict):
        return {name: approximately(value) for name, value in described.items()}
    return pytest.approx(described, abs=1e-10) if isinstance(described, float) else described


def test_state_that_does_not_fit_is_refused_and_changes_nothing(watch):
    """Rows with another number of columns, or another number of rows than were seen."""
    update(watch, make_rows(30, seed=5))
    state = watch.state()
    before = watch.describe()

    for broken in (
        state | {"rows_seen": 7},
        state | {"last_rows": [[1.0, 2.0]]},
        state | {"progress": {}},
        state | {"last_events": {"mmd": {}}},
    ):
        with pytest.raises((ValueError, KeyError, TypeError)):
            watch.restore(broken)

    assert watch.describe() == before


def test_description_is_strict_json(watch):
    """From the first row on, even for a detector that can never signal."""
    watch.run_times["outlier_rate"] = float("inf")
    for n_rows in (1, 30):
        update(watch, make_rows(n_rows, seed=5))
        described = json.loads(json.dumps(watch.describe(), allow_nan=False))
        assert described["detectors"]["outlier_rate"]["expected_run_time"] is None
    assert described["detectors"]["mmd"]["expected_run_time"] == 200
    assert described["rows_seen"] == 31
