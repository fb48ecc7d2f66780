"""The state survives a restart, and is used only for the same model."""

from __future__ import annotations

import json
import os

import pytest

from app.drift.monitor import DriftMonitor
from app.drift.state_file import UnreadableState, restore_state, save_state
from tests.drift.conftest import make_rows, score_rows


@pytest.fixture
def new_watch(calibration):
    """Makes monitors that have seen no row."""
    return lambda: DriftMonitor(calibration, ("mean", "sd"), rows_per_second=1, false_alarm_days=1, clock=lambda: 0.0)


@pytest.fixture
def watch(new_watch):
    """A monitor that has seen fifty rows."""
    watch = new_watch()
    scored = score_rows(make_rows(50, seed=5))
    watch.update(scored.rows, scored.scores, scored.labels)
    return watch


def test_state_is_read_back(tmp_path, watch, new_watch):
    """By a monitor of the same model; no unfinished file is left."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")
    save_state(file, watch, "v1")
    restarted = new_watch()

    assert restore_state(file, restarted, "v1") is None

    assert restarted.rows_seen == 50
    assert restarted.state() == watch.state()
    assert [path.name for path in tmp_path.iterdir()] == ["drift.json"]


def test_state_of_another_model_is_not_used(tmp_path, watch, new_watch):
    """Its rows were compared with other reference rows."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")
    restarted = new_watch()

    assert restore_state(file, restarted, "v2") == f"{file} is about model v1, not v2."
    assert restarted.rows_seen == 0


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"model_version": "v1"}', "null", "\xff", "1" * 5000),
        *("[" * 10_000, '{"model_version": ' + "[" * 10_000 + "]" * 10_000 + "}"),
    ],
)
def test_broken_file_is_reported(tmp_path, new_watch, content):
    """However the parser fails: 10,000 levels exceed its recursion."""
    file = tmp_path / "drift.json"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(UnreadableState, match="cannot be used"):
        restore_state(file, new_watch(), "v1")


EVENT = {"detector": "mmd", "kind": "event", "feature": "", "row": 1, "seconds": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"rows_seen": -1},
        {"rows_seen": 10**400},
        {"rows_seen": 50.0},
        {"rows_seen": None},
        {"rows_seen": 2**60},
        {"last_rows": []},
        {"last_rows": [[1e300, 0, 0, 0]] * 10},
        {"last_rows": "x"},
        {"progress": None},
        {"progress": {"mmd": {}}},
        {"last_events": {"mmd": EVENT | {"detector": 1}}},
        {"last_events": {"mmd": EVENT | {"row": []}}},
        {"last_events": {"mmd": EVENT | {"seconds": 1e300}}},
        {"last_events": []},
    ],
)
def test_wrong_values_are_reported(tmp_path, watch, new_watch, change):
    """They would stop the detectors later, with every row."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(UnreadableState, match="cannot be used"):
        restore_state(file, new_watch(), "v1")


@pytest.mark.parametrize("count", ["many", -1, 1.5, None, 10**400])
def test_wrong_counts_are_reported(tmp_path, watch, new_watch, count):
    """Each detector counts on from what was saved."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")
    state = json.loads(file.read_text())
    state["progress"]["mmd"]["rows_watched"] = count
    file.write_text(json.dumps(state))
    with pytest.raises(UnreadableState, match="cannot be used"):
        restore_state(file, new_watch(), "v1")


@pytest.mark.timeout(30)  # opening the pipe would wait for ever
def test_pipe_is_reported(tmp_path, new_watch):
    """Only regular files are opened."""
    os.mkfifo(tmp_path / "drift.json")
    with pytest.raises(UnreadableState, match="not a regular file"):
        restore_state(tmp_path / "drift.json", new_watch(), "v1")


def test_first_start_has_no_file(tmp_path, new_watch):
    """That is a reason, too."""
    assert restore_state(tmp_path / "drift.json", new_watch(), "v1").endswith("does not exist yet.")


def test_old_file_stays_when_writing_fails(tmp_path, watch, monkeypatch):
    """A full disk loses the newest rows, not the state."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.server.atomic_file.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        save_state(file, watch, "v1")

    assert json.loads(file.read_text())["rows_seen"] == 50
    assert [path.name for path in tmp_path.iterdir()] == ["drift.json"]
