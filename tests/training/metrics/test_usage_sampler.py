"""Memory and CPU time are sampled during the work."""

from __future__ import annotations

import threading

import pytest

from training.metrics.publication import sample_usage


def test_usage_is_sampled_at_the_ends_and_in_between():
    """However short the work is; its CPU time is included."""
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


def test_short_work_is_sampled_twice():
    """Even if it ends within the first period."""
    samples = []
    with sample_usage(lambda *sample: samples.append(sample), every_seconds=3600):
        pass

    assert len(samples) == 2


def test_sampling_ends_when_the_work_fails():
    """No thread is left running."""

    def fail() -> None:
        with sample_usage(lambda *sample: None):
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()

    assert not [thread for thread in threading.enumerate() if thread.name == "usage"]
