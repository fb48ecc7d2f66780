"""The state outlives the process, and only where it belongs to the model that is watched."""

from __future__ import annotations

import json

import pytest

from app.drift.monitor import DriftWatch
from app.drift.state_file import restore_state, save_state
from tests.drift.conftest import make_rows, score_rows


@pytest.fixture
def new_watch(calibration):
    """Make watches that have seen nothing."""
    return lambda: DriftWatch(calibration, ("mean", "sd"), rows_per_second=1, false_alarm_days=1, clock=lambda: 0.0)


@pytest.fixture
def watch(new_watch):
    """A watch that has seen fifty rows."""
    watch = new_watch()
    scored = score_rows(make_rows(50, seed=5))
    watch.update(scored.rows, scored.scores, scored.labels)
    return watch


def test_state_is_read_back(tmp_path, watch, new_watch):
    """By a watch of the same model, and no unfinished file is left."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")
    save_state(file, watch, "v1")
    restarted = new_watch()

    assert restore_state(file, restarted, "v1") is None

    assert restarted.rows_seen == 50
    assert restarted.state() == watch.state()
    assert [path.name for path in tmp_path.iterdir()] == ["drift.json"]


def test_state_of_another_model_is_left_alone(tmp_path, watch, new_watch):
    """Its rows were compared with other reference rows."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")
    restarted = new_watch()

    assert restore_state(file, restarted, "v2") == f"{file} is about model v1, v2 is watched."
    assert restarted.rows_seen == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_version": "v1"}', "null"])
def test_broken_file_is_told_and_starts_anew(tmp_path, new_watch, content):
    """A service does not stay down for it."""
    file = tmp_path / "drift.json"
    file.write_text(content)
    restarted = new_watch()

    assert "cannot be used" in restore_state(file, restarted, "v1")
    assert restarted.rows_seen == 0


def test_first_start_has_no_file(tmp_path, new_watch):
    """That is said, too."""
    assert restore_state(tmp_path / "drift.json", new_watch(), "v1").endswith("does not exist yet.")


def test_file_before_stays_when_writing_fails(tmp_path, watch, monkeypatch):
    """A full disk costs the newest rows, not the state."""
    file = tmp_path / "drift.json"
    save_state(file, watch, "v1")

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.server.atomic_file.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        save_state(file, watch, "v1")

    assert json.loads(file.read_text())["rows_seen"] == 50
    assert [path.name for path in tmp_path.iterdir()] == ["drift.json"]
