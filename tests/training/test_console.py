"""In a terminal a bar moves; elsewhere each stage is a line."""

from __future__ import annotations

import io
import sys

import pytest

from training.console import announce, show_calibration, show_rows, show_trees


class Terminal(io.StringIO):
    """Standard error of a person who looks on."""

    def isatty(self) -> bool:
        """Say that somebody does."""
        return True


def test_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch):
    """It ends with all trees."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    with show_trees(40) as on_progress:
        on_progress(10)
        on_progress(40)

    assert "40/40" in terminal.getvalue()


def test_terminal_shows_how_many_rows_were_replayed(monkeypatch: pytest.MonkeyPatch):
    """It ends with all of them."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    with show_rows(3000) as on_progress:
        on_progress(1000)
        on_progress(3000)

    assert "3000/3000" in terminal.getvalue()


def test_terminal_shows_how_far_the_calibration_is(monkeypatch: pytest.MonkeyPatch):
    """In per cent; nothing is shown where nothing is calibrated."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    with show_calibration():
        pass
    assert terminal.getvalue() == ""
    with show_calibration() as on_progress:
        on_progress(0.3)
        on_progress(1.0)

    assert "100/100" in terminal.getvalue()


def test_elsewhere_each_stage_is_a_line(capsys):
    """A log file is not filled with bars."""
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
