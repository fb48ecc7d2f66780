"""Only one benchmark runs at a time."""

from __future__ import annotations

import pytest

from benchmarks.alone import AnotherRuns, alone_on_machine


def test_second_run_is_refused_until_the_first_has_ended(tmp_path):
    """It does not wait, and the lock is released after a run."""
    with (
        alone_on_machine(tmp_path),
        pytest.raises(AnotherRuns, match="wait until they have ended"),
        alone_on_machine(tmp_path),
    ):
        pass

    with alone_on_machine(tmp_path):
        pass


def test_failed_run_releases_the_lock(tmp_path):
    """An error does not block later runs."""

    def fail():
        with alone_on_machine(tmp_path):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with alone_on_machine(tmp_path):
        pass
