"""The type of a cause, and a thread for causes that repeat an action."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from loadtest.drill.testbed import Testbed


@dataclass(frozen=True)
class Cause:
    """A failure, and the alerts that it must trigger.

    Parameters
    ----------
    title
        Description for the table.
    alerts
        Names of the alerts that must fire, with all their windows.
    produce
        Returns a context manager that produces the failure while its block runs.
    """

    title: str
    alerts: tuple[str, ...]
    produce: Callable[[Testbed], AbstractContextManager[None]]


@contextmanager
def repeated(testbed: Testbed, act: Callable[[], None], pause_seconds: float) -> Iterator[None]:
    """Call ``act`` immediately and after each pause while the block runs."""
    stop_requested = threading.Event()

    def run() -> None:
        while not stop_requested.is_set() and not testbed.is_over.is_set():
            act()
            stop_requested.wait(pause_seconds)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop_requested.set()
        thread.join()
