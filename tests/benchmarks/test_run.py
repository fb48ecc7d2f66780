"""A run that cannot give figures says so before anything is installed or started."""

from __future__ import annotations

import pytest

from benchmarks import run, wrk


def test_one_core_is_too_few(monkeypatch):
    """A server that shares its core with the load measures the load."""
    monkeypatch.setattr("benchmarks.run.os.sched_getaffinity", lambda pid: {3})

    with pytest.raises(wrk.ProgramMissing, match="a core each"):
        run.main(["--servers", "ours"])
