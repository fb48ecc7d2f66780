"""Memory and CPU time are measured beside the work."""

from __future__ import annotations

import threading

import pytest

from training.metrics.publication import sample_usage


def test_usage_is_measured_at_both_ends_and_in_between():
    """However short the work is; the CPU time of the work shows."""
    samples: list[tuple[int, float]] = []
    enough = threading.Event()

    def record(memory_bytes: int, cpu_percent: float) -> None:
        samples.append((memory_bytes, cpu_percent))
        if len(samples) > 3 and cpu_percent > 10:
            enough.set()

    with sample_usage(record, every_seconds=0.02):
        assert len(samples) >= 1
        while not enough.is_set():
            sum(range(1_000))
    n_samples = len(samples)

    assert all(memory_bytes > 10_000_000 for memory_bytes, _ in samples)
    assert not [thread for thread in threading.enumerate() if thread.name == "usage"]
    assert n_samples == len(samples)


def test_short_work_is_measured_twice():
    """Before the first period is over."""
    samples = []
    with sample_usage(lambda *sample: samples.append(sample), every_seconds=3600):
        pass

    assert len(samples) == 2


def test_measuring_ends_with_work_that_fails():
    """No thread is left behind."""

    def fail() -> None:
        with sample_usage(lambda *sample: None):
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()

    assert not [thread for thread in threading.enumerate() if thread.name == "usage"]
