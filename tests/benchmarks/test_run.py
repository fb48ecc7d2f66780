"""A run that cannot give useful figures is refused before anything is installed or started."""

from __future__ import annotations

import pytest

from benchmarks import run, wrk


def test_single_core_is_refused(monkeypatch):
    """The server would share its core with the load generator."""
    monkeypatch.setattr("benchmarks.run.os.sched_getaffinity", lambda pid: {3})

    with pytest.raises(wrk.ProgramMissing, match="a core each"):
        run.main(["--servers", "ours"])
