"""A run gives up on a server that fails, goes on with the others, and says how quiet the machine was."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import run, running_server, wrk
from benchmarks.contestants import choose
from benchmarks.core_usage import watch_core
from benchmarks.environments import CannotInstall
from benchmarks.running_server import ServerFailed
from benchmarks.wrk import Sample


@pytest.fixture
def measurements(monkeypatch, tmp_path):
    """Three servers, of which BentoML cannot be installed and MLflow does not start."""

    def prepare(venv, locks):
        if venv == "bentoml":
            raise CannotInstall("no wheel")
        return tmp_path

    @contextmanager
    def start(contestant, *rest):
        if contestant.name == "mlflow":
            raise ServerFailed("it ended with 1")
        yield 1

    monkeypatch.setattr(run, "prepare", prepare)
    monkeypatch.setattr(run, "version_of", lambda programs, package: "1.0")
    monkeypatch.setattr(running_server, "start", start)
    monkeypatch.setattr(wrk, "measure", lambda url, bodies, count, *rest: Sample(1000 * count, 1, 2, 0, 0))
    return run.Measurements(choose("ours,mlflow,bentoml"), [8, 64], seconds=1, cores=(0, 0))


def test_servers_that_fail_are_skipped_by_name(measurements, tmp_path):
    """Two rounds give two samples of the server that works, and reasons for the others."""
    measurements.install()
    for _ in range(2):
        measurements.play_round(SimpleNamespace(rows=np.zeros((1, 2))), tmp_path)

    assert {count: {name: len(s) for name, s in by.items()} for count, by in measurements.samples.items()} == {
        8: {"ours": 2},
        64: {"ours": 2},
    }
    assert measurements.failures == {"bentoml": "not installed: no wheel", "mlflow": "it ended with 1"}
    page = run.describe(measurements, measurements.contestants)
    assert page.count("skipped: not installed: no wheel") == page.count("skipped: it ended with 1") == 2
    assert "8,000" in page
    assert "64,000" in page


def test_one_core_is_too_few(monkeypatch):
    """A server that shares its core with the load measures the load."""
    monkeypatch.setattr("benchmarks.run.os.sched_getaffinity", lambda pid: {3})

    with pytest.raises(wrk.ProgramMissing, match="a core each"):
        run.main(["--servers", "ours"])


def test_share_of_others_is_a_share():
    """Whatever the machine does meanwhile, the share lies between none and all."""
    with watch_core(0) as others:
        sum(range(200_000))

    assert 0 <= others.value <= 1
