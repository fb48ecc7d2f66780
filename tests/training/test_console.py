"""Terminals get a progress bar, other outputs one line per stage."""

from __future__ import annotations

import io
import sys

import pytest

from training.console import announce, show_calibration, show_rows, show_trees


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_terminal_shows_a_progress_bar(monkeypatch: pytest.MonkeyPatch):
    """It ends with all trees."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    with show_trees(40) as on_progress:
        on_progress(10)
        on_progress(40)

    assert "40/40" in terminal.getvalue()


def test_terminal_shows_the_progress_of_a_replay(monkeypatch: pytest.MonkeyPatch):
    """It ends with all rows."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    with show_rows(3000) as on_progress:
        on_progress(1000)
        on_progress(3000)

    assert "3000/3000" in terminal.getvalue()


def test_terminal_shows_the_progress_of_the_calibration(monkeypatch: pytest.MonkeyPatch):
    """In per cent, and only if something is calibrated."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    with show_calibration():
        pass
    assert terminal.getvalue() == ""
    with show_calibration() as on_progress:
        on_progress(0.3)
        on_progress(1.0)

    assert "100/100" in terminal.getvalue()


def test_other_outputs_get_a_line_per_stage(capsys):
    """Progress bars would fill a log file."""
    announce("Reading")
    with show_trees(40) as on_progress:
        on_progress(40)
    with show_calibration() as on_part:
        on_part(0.5)
        on_part(1.0)
    with show_rows(3000) as on_rows:
        on_rows(3000)

    assert capsys.readouterr().err.splitlines() == [
        "Reading ...",
        "Fitting 40 trees ...",
        "Calibrating drift detectors ...",
        "Replaying 3,000 rows ...",
    ]
