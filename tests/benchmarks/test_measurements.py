"""Failing servers are skipped, the others are measured, and a busy machine is detected."""

from __future__ import annotations

import os
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import measurements as measurements_module
from benchmarks import run, running_server, wrk
from benchmarks.contestants import choose
from benchmarks.environments import CannotInstall
from benchmarks.running_server import RunningServer, ServerFailed
from benchmarks.wrk import Sample


@pytest.fixture
def measurements(monkeypatch, tmp_path):
    """Measure three servers, of which BentoML cannot be installed and MLflow does not start."""

    def prepare(venv, locks):
        if venv == "bentoml":
            raise CannotInstall("no wheel")
        return tmp_path

    @contextmanager
    def start(contestant, *rest):
        if contestant.name == "mlflow":
            raise ServerFailed("it ended with 1")
        yield RunningServer(port=1, pid=os.getpid())

    @contextmanager
    def watch_core(core):
        yield SimpleNamespace(value=0.0)

    @contextmanager
    def watch_processes(pid):
        assert pid == os.getpid()
        yield SimpleNamespace(seconds=0.5)

    monkeypatch.setattr(measurements_module, "watch_core", watch_core)
    monkeypatch.setattr(measurements_module, "watch_processes", watch_processes)
    monkeypatch.setattr(measurements_module, "prepare", prepare)
    monkeypatch.setattr(measurements_module, "version_of", lambda programs, package: "1.0")
    monkeypatch.setattr(running_server, "start", start)
    monkeypatch.setattr(
        wrk, "measure", lambda url, bodies, count, *rest: Sample(1000 * count, 1, 2, 0, 0, requests=2000)
    )
    return measurements_module.Measurements(choose("ours,mlflow,bentoml"), [8, 64], seconds=1, cores=(0, 0))


def test_failing_servers_are_skipped_with_a_reason(measurements, tmp_path):
    """Two rounds give two samples of the working server, and reasons for the others."""
    measurements.install()
    for _ in range(2):
        measurements.play_round(SimpleNamespace(rows=np.zeros((1, 2))), tmp_path)

    assert {count: {name: len(s) for name, s in by.items()} for count, by in measurements.samples.items()} == {
        8: {"ours": 2},
        64: {"ours": 2},
    }
    assert measurements.failures == {"bentoml": ["not installed: no wheel"], "mlflow": ["it ended with 1"] * 2}
    page = run.describe(measurements, measurements.contestants)
    assert page.count("skipped: not installed: no wheel") == page.count("skipped: it ended with 1") == 2
    assert "8,000" in page
    assert "64,000" in page
    # Half a second for 2,000 requests.
    assert page.count("| 250 (250 to 250) | 1.00 |") == 2


def test_failed_round_is_reported_and_the_next_one_counts(measurements, tmp_path, monkeypatch):
    """A failure in one round does not exclude the server from the next one."""
    measurements.install()
    model = SimpleNamespace(rows=np.zeros((1, 2)))
    measurements.play_round(model, tmp_path)
    whole = wrk.measure

    def fail(*arguments):
        raise wrk.LoadFailed("no request was answered")

    monkeypatch.setattr(wrk, "measure", fail)
    measurements.play_round(model, tmp_path)
    monkeypatch.setattr(wrk, "measure", whole)
    measurements.play_round(model, tmp_path)

    assert len(measurements.samples[8]["ours"]) == 2
    assert measurements.failures["ours"] == ["no request was answered"]


def test_measurement_on_a_busy_core_is_repeated(measurements, tmp_path, monkeypatch):
    """Of up to three tries, the one with the least other load counts."""
    shares, rates = iter([0.9, 0.3, 0.5, 0.01]), iter(range(100))

    @contextmanager
    def watch_core(core):
        yield SimpleNamespace(value=next(shares))

    monkeypatch.setattr(measurements_module, "watch_core", watch_core)
    monkeypatch.setattr(wrk, "measure", lambda *arguments: Sample(next(rates), 1, 2, 0, 0, requests=2000))
    measurements.install()
    measurements.play_round(SimpleNamespace(rows=np.zeros((1, 2))), tmp_path)

    # Every second call of wrk is a warm-up: the tries with 8 connections gave 1, 3 and 5, the one with 64 gave 7.
    assert {count: by["ours"] for count, by in measurements.samples.items()} == {
        8: [Sample(3, 1, 2, 0, 0, 2000, cpu_us=250)],
        64: [Sample(7, 1, 2, 0, 0, 2000, cpu_us=250)],
    }
    assert measurements.others_shares == [0.3, 0.01]
