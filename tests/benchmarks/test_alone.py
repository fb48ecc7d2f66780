"""Two runs at once would measure each other."""

from __future__ import annotations

import pytest

from benchmarks.alone import AnotherRuns, alone_on_machine


def test_second_run_is_refused_until_the_first_has_ended(tmp_path):
    """Nobody waits in line, and the place is free again after a run."""
    with (
        alone_on_machine(tmp_path),
        pytest.raises(AnotherRuns, match="wait until they have ended"),
        alone_on_machine(tmp_path),
    ):
        pass

    with alone_on_machine(tmp_path):
        pass


def test_run_that_failed_gives_the_place_up(tmp_path):
    """An error does not block the machine."""

    def fail():
        with alone_on_machine(tmp_path):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with alone_on_machine(tmp_path):
        pass
