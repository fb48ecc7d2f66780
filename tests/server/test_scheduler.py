"""Periodic jobs continue, whatever one of them does."""

from __future__ import annotations

import threading

import pytest

from app.server.scheduler import PeriodicJobs


def test_job_that_fails_is_logged_and_run_again(caplog: pytest.LogCaptureFixture):
    """One failing job stops neither itself nor the others."""
    failures = threading.Semaphore(0)
    others = threading.Semaphore(0)

    def fail() -> None:
        failures.release()
        raise RuntimeError("no luck")

    jobs = PeriodicJobs()
    jobs.add(fail, every_seconds=0.01)
    jobs.add(others.release, every_seconds=0.01)
    jobs.start()
    try:
        for semaphore in (failures, failures, others, others):
            assert semaphore.acquire(timeout=10)
    finally:
        jobs.stop()

    assert "no luck" in caplog.text


def test_stopped_jobs_do_not_run_again():
    """After `stop` has returned, nothing runs."""
    ran = threading.Event()
    jobs = PeriodicJobs()
    jobs.add(ran.set, every_seconds=0.01)
    jobs.start()
    assert ran.wait(timeout=10)
    jobs.stop()
    ran.clear()

    assert not ran.wait(timeout=0.1)


def test_first_run_may_be_earlier():
    """An hourly job need not wait an hour for its first run."""
    ran = threading.Event()
    jobs = PeriodicJobs()
    jobs.add(ran.set, every_seconds=3600, first_seconds=0)
    jobs.start()

    assert ran.wait(timeout=10)
    jobs.stop()


def test_job_that_hangs_is_not_waited_for():
    """With a timeout, `stop` returns while the job is still running."""
    started, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        go_on.wait()

    jobs = PeriodicJobs()
    jobs.add(hang, every_seconds=3600, first_seconds=0)
    jobs.start()
    assert started.wait(timeout=10)
    jobs.stop(timeout_seconds=0.01)
    go_on.set()
