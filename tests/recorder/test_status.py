"""A recorder that no longer works is seen, whatever keeps it from working."""

from __future__ import annotations

import os
import time
from pathlib import Path

from app.recorder.status import beat, is_recorder_up


def test_recorder_that_was_never_there_does_not_beat(tmp_path: Path):
    """No file, no recorder."""
    assert not is_recorder_up(tmp_path)


def test_recorder_beats_until_it_misses_several(tmp_path: Path):
    """One late beat says nothing."""
    beat(tmp_path)
    [file] = tmp_path.iterdir()
    for age, expected in ((0, True), (3, True), (10, False)):
        then = time.time() - age
        os.utime(file, (then, then))
        assert is_recorder_up(tmp_path) is expected

    beat(tmp_path)
    assert is_recorder_up(tmp_path)


def test_folder_that_is_gone_ends_no_recorder(tmp_path: Path):
    """The service may be ending."""
    beat(tmp_path / "gone")
