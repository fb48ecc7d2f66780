"""A recorder that has stopped working is detected, whatever the reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

from app.recorder.status import beat, is_recorder_up


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
