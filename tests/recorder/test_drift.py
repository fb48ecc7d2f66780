"""A sample of the live model's rows reaches the detectors, and their findings are reported."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from app.drift.calibration import ALL_DETECTORS, NAMING_DETECTORS
from app.metrics.recorder import RecorderMetrics
from app.model.bundle import Bundle, read_bundle
from app.model.scoring import ScoredRows, score_rows
from app.recorder.drift import NO_DETECTORS, STATE_FILE, DriftRecorder, StateFolder, WatchedModel, watch_model
from app.recorder.protocol import PublishedRows
from app.recorder.status import beat, read_report

# The whole window of the test's bundle, and rows for every confirming window after it.
MANY_ROWS = 200


class _Recorder:
    """A recorder without a process: its folders, metrics and drift recorder."""

    def __init__(self, bundle: Bundle, folder: Path, rows_per_second: int = 1000) -> None:
        self.bundle, self.folder, self.seconds = bundle, folder, 0.0
        self.registry = CollectorRegistry()
        self.state_file = folder / STATE_FILE
        self.monitor = DriftRecorder(
            folder,
            StateFolder(folder, folder),
            rows_per_second,
            RecorderMetrics(self.registry, ALL_DETECTORS, NAMING_DETECTORS),
            clock=lambda: self.seconds,
        )
        self.monitor.follow(watch_model(bundle, rows_per_second, 30, self.state_file))
        self.monitor.tick()

    def take(self, scored: ScoredRows, version: str = "") -> None:
        """Take rows that this or another version scored, and let a second pass."""
        self.monitor.take(PublishedRows(0.0, "7f3e", version or self.bundle.version, 0, scored))
        self.seconds += 1
        self.monitor.tick()

    def metric(self, name: str, **labels: str) -> float:
        """Read a metric, the sum over all models; None if there is no such series."""
        samples = [sample for family in self.registry.collect() for sample in family.samples if sample.name == name]
        found = [sample.value for sample in samples if labels.items() <= sample.labels.items()]
        return sum(found) if found else None

    def report(self) -> dict[str, Any]:
        """Read the report as workers do."""
        return read_report(self.folder)


@pytest.fixture(scope="module")
def bundle(credits_models: Path) -> Bundle:
    """A model whose detectors have a window of ten rows."""
    return read_bundle(credits_models / "current")


@pytest.fixture
def recorder(bundle: Bundle, tmp_path: Path) -> _Recorder:
    """A recorder that has seen nothing."""
    return _Recorder(bundle, tmp_path)


def _far_rows(bundle: Bundle, n_rows: int = MANY_ROWS) -> ScoredRows:
    """Rows that differ from all training rows."""
    return score_rows(bundle, np.full((n_rows, len(bundle.features)), 60.0, np.float32))


def test_everything_starts_at_zero(recorder: _Recorder, bundle: Bundle):
    """A counter that starts at 1 hides its first event; a window without rows has a state of its own."""
    first = bundle.features.names[0]
    for name in ("drift_alarms_total", "drift_events_total"):
        assert recorder.metric(name, detector="mmd", feature="") == 0
        assert recorder.metric(name, detector="cvm", feature=first) == 0
        assert recorder.metric(name, detector="cvm", feature="") is None
    assert recorder.metric("drift_feature_distance", feature_name=first) == 0
    assert recorder.metric("drift_test_stat_count", detector="score") == 0
    assert recorder.metric("drift_window_fill_ratio") == 0
    run_times = [detector["expected_run_time"] for detector in recorder.report()["detectors"].values()]
    assert recorder.metric("drift_expected_alarms_per_row") == pytest.approx(
        sum(1 / rows for rows in run_times if rows)
    )
    assert recorder.metric("drift_threshold", detector="mmd") > 0
    assert {detector["state"] for detector in recorder.report()["detectors"].values()} == {"not enough rows yet"}


def test_drift_is_a_signal_an_event_and_a_state(recorder: _Recorder, bundle: Bundle, caplog: pytest.LogCaptureFixture):
    """Once each, in the metrics, the report and the log, with the name of the feature."""
    recorder.take(_far_rows(bundle))
    report = recorder.report()

    assert recorder.metric("drift_alarms_total", detector="mmd", feature="") == 1
    assert recorder.metric("drift_events_total", detector="mmd", feature="") == 1
    by_feature = [recorder.metric("drift_events_total", detector="cvm", feature=name) for name in bundle.features.names]
    assert sum(by_feature) == 1
    assert recorder.metric("drift_active", detector="mmd") == 1
    assert recorder.metric("drift_last_stat", detector="mmd") > recorder.metric("drift_threshold", detector="mmd")
    assert recorder.metric("drift_test_stat_count", detector="mmd") == MANY_ROWS - 9
    assert recorder.metric("drift_feature_distance", feature_name=bundle.features.names[0]) > 0.3
    assert report["state"] == "watching"
    assert report["rows_seen"] == MANY_ROWS
    assert report["detectors"]["mmd"]["state"] == "drift"
    assert report["detectors"]["cvm"]["last_event"]["feature"] in bundle.features.names
    assert list(report["detectors"]["cvm"]["features"].values()) == sorted(
        report["detectors"]["cvm"]["features"].values(), reverse=True
    )
    assert "detector mmd found a lasting change at row" in caplog.text


def test_no_more_rows_than_allowed_reach_the_detectors(bundle: Bundle, tmp_path: Path):
    """However many arrive in a second."""
    recorder = _Recorder(bundle, tmp_path, rows_per_second=30)
    recorder.take(_far_rows(bundle, 5000))
    recorder.take(_far_rows(bundle, 7))

    assert recorder.report()["rows_seen"] == 37


def test_rows_of_another_version_are_ignored(recorder: _Recorder, bundle: Bundle):
    """While workers swap models, rows of both versions arrive."""
    recorder.take(_far_rows(bundle), version="another")

    assert recorder.report()["rows_seen"] == 0


def test_state_survives_a_restart(recorder: _Recorder, bundle: Bundle, tmp_path: Path):
    """The drift continues, and is not a second event."""
    recorder.take(_far_rows(bundle))
    recorder.monitor.finish()
    next_one = _Recorder(bundle, tmp_path)

    assert next_one.metric("drift_active", detector="mmd") == 1
    assert next_one.report()["rows_seen"] == MANY_ROWS
    next_one.take(_far_rows(bundle))
    assert next_one.metric("drift_events_total", detector="mmd", feature="") == 0
    assert next_one.report()["detectors"]["mmd"]["events"] == 1


def test_state_is_written_every_30_seconds(recorder: _Recorder, bundle: Bundle):
    """A recorder that is killed loses no more than that."""
    recorder.take(_far_rows(bundle))
    assert not recorder.state_file.exists()
    recorder.seconds = 30.0
    recorder.monitor.tick()

    assert json.loads(recorder.state_file.read_text())["rows_seen"] == MANY_ROWS
    recorder.state_file.unlink()
    recorder.seconds = 59.0
    recorder.monitor.tick()
    assert not recorder.state_file.exists()


def test_state_of_another_model_is_not_used(recorder: _Recorder, bundle: Bundle, tmp_path: Path):
    """Drift is measured against the training rows of a model."""
    recorder.take(_far_rows(bundle))
    recorder.monitor.finish()
    state = json.loads(recorder.state_file.read_text())
    recorder.state_file.write_text(json.dumps(state | {"model_version": "another"}))

    assert _Recorder(bundle, tmp_path).report()["rows_seen"] == 0


def test_new_model_starts_from_zero(recorder: _Recorder, bundle: Bundle):
    """The state of the old detectors is no longer reported; their counters stay."""
    recorder.take(_far_rows(bundle))
    recorder.monitor.follow(WatchedModel("without", "no detectors"))
    recorder.take(_far_rows(bundle))
    report = recorder.report()

    assert (report["state"], report["model_version"], report["detectors"]) == ("no detectors", "without", {})
    assert recorder.metric("drift_active", detector="mmd") == 0
    assert recorder.metric("drift_expected_alarms_per_row") == 0
    assert recorder.metric("drift_feature_distance", feature_name=bundle.features.names[0]) == 0
    assert recorder.metric("drift_window_fill_ratio") == 0
    assert recorder.metric("drift_events_total", detector="mmd", feature="") == 1
    recorder.monitor.finish()
    assert not recorder.state_file.exists()


def test_model_without_detectors_is_reported(bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """It was trained on too few rows; the log says what to do."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.folder, folder)
    (folder / "drift.npz").unlink()
    without = replace(bundle, folder=folder)

    assert watch_model(without, 100, 30, tmp_path / STATE_FILE) == WatchedModel(bundle.version, "no detectors")
    assert "drift is not monitored: to monitor it, train" in caplog.text


def test_detector_that_an_earlier_release_did_not_calibrate_is_named_once(
    bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The other detectors work; the log says how to have it."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.folder, folder)
    with np.load(folder / "drift.npz") as arrays:
        earlier = {name: array for name, array in arrays.items() if not name.startswith("bin")}
    np.savez(folder / "drift.npz", allow_pickle=False, **earlier)
    caplog.set_level("INFO")

    watched = watch_model(replace(bundle, folder=folder), 100, 30, tmp_path / STATE_FILE)

    assert watched.monitor is not None
    assert set(watched.monitor.detectors) == set(ALL_DETECTORS) - {"counts"}
    assert caplog.text.count("lacks the drift detector counts") == 1


def test_rows_that_are_repeated_widen_the_thresholds(recorder: _Recorder, bundle: Bundle):
    """As the metric and the report say; the threshold in the metrics is the widened one."""
    with np.load(bundle.folder / "reference.npz") as arrays:
        independent = np.random.default_rng(0).permutation(arrays["rows"].astype(np.float32))
    before = recorder.metric("drift_threshold", detector="score")
    for first in range(0, 600, 200):
        recorder.take(score_rows(bundle, np.repeat(independent[first : first + 200], 5, axis=0)))

    assert recorder.metric("drift_dependence_factor") > 2
    assert recorder.report()["dependence"] == recorder.metric("drift_dependence_factor")
    assert recorder.metric("drift_threshold", detector="score") > before


def test_full_disk_stops_nothing(
    recorder: _Recorder, bundle: Bundle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """The error is logged, and the next attempt succeeds."""

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("app.recorder.drift.save_state", no_room)
        full.setattr("app.recorder.drift.write_report", no_room)
        recorder.take(_far_rows(bundle))
        recorder.monitor.finish()
    assert "the state of the drift detectors cannot be saved" in caplog.text
    assert "the report for GET /drift cannot be written" in caplog.text

    recorder.monitor.finish()
    assert recorder.report()["rows_seen"] == MANY_ROWS


def test_report_shows_whether_the_recorder_is_up(recorder: _Recorder):
    """An old report is better than none, if it is marked as old."""
    assert recorder.report()["recorder_up"] is False
    beat(recorder.folder)
    assert recorder.report()["recorder_up"] is True


def test_replaced_model_leaves_no_figures(recorder: _Recorder, bundle: Bundle):
    """The gauges of a replaced model are 0, so that nothing compares them with those of the next one."""
    assert recorder.metric("drift_threshold", detector="mmd", model_version=bundle.version) > 0

    recorder.monitor.follow(WatchedModel("next", NO_DETECTORS))
    recorder.monitor.tick()

    assert recorder.metric("drift_threshold") == 0
    assert recorder.metric("drift_active", detector="mmd", model_version="next") == 0
