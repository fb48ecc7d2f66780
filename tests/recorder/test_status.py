"""A recorder that has stopped working is detected, whatever the reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

from app.recorder.status import beat, is_recorder_up, read_report, write_report


def test_recorder_that_never_ran_is_not_up(tmp_path: Path):
    """No file, no recorder."""
    assert not is_recorder_up(tmp_path)


def test_recorder_is_up_until_it_misses_several_beats(tmp_path: Path):
    """A single late one means nothing."""
    beat(tmp_path)
    [file] = tmp_path.iterdir()
    for age, expected in ((0, True), (3, True), (10, False)):
        then = time.time() - age
        os.utime(file, (then, then))
        assert is_recorder_up(tmp_path) is expected

    beat(tmp_path)
    assert is_recorder_up(tmp_path)


def test_missing_folder_does_not_stop_the_recorder(tmp_path: Path):
    """The service may be ending."""
    beat(tmp_path / "gone")


def test_report_has_timestamps_in_utc_to_the_millisecond(tmp_path: Path):
    """In the one form that answers and exports use as well."""
    event = {"seconds": 1.25, "row": 7, "feature": "mean"}

    write_report(tmp_path, "v1", "watching", {"detectors": {"cvm": {"last_event": event}}}, now=1.5)

    report = read_report(tmp_path)
    assert report["updated_at"] == "1970-01-01T00:00:01.500Z"
    assert report["detectors"]["cvm"]["last_event"]["at"] == "1970-01-01T00:00:01.250Z"
