"""How much memory and CPU time this process takes, measured beside its work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

# Far more often than anybody scrapes, far less than would be felt.
SAMPLE_SECONDS = 0.5


@contextmanager
def sample_usage(record: Callable[[int, float], None], every_seconds: float = SAMPLE_SECONDS) -> Iterator[None]:
    """Measure at the start, at the end, and every so many seconds in between.

    Parameters
    ----------
    record
        Called with the resident memory in bytes, and the CPU time since the call before as a share of one core
        times 100.
    every_seconds
        Time between two measurements.
    """
    process = psutil.Process()
    stopping = threading.Event()

    def measure() -> None:
        record(process.memory_info().rss, process.cpu_percent())

    def measure_until_stopped() -> None:
        while not stopping.wait(every_seconds):
            measure()

    measure()  # psutil tells 0 % of CPU the first time: there is nothing before to compare with
    thread = threading.Thread(target=measure_until_stopped, name="usage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        measure()
