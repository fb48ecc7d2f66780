"""What a cause is, and a thread for those that have to be produced again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from loadtest.drill.chain import Chain


@dataclass(frozen=True)
class Cause:
    """Something that goes wrong, and what has to be told of it.

    Parameters
    ----------
    title
        What happens, for the table.
    alerts
        Names of the alerts that have to fire, all windows of each.
    produce
        Lets it happen as long as the block runs.
    """

    title: str
    alerts: tuple[str, ...]
    produce: Callable[[Chain], AbstractContextManager[None]]


@contextmanager
def repeated(chain: Chain, act: Callable[[], None], pause_seconds: float) -> Iterator[None]:
    """Do something at once, and again after each pause, while the block runs."""
    end_wanted = threading.Event()

    def go_on() -> None:
        while not end_wanted.is_set() and not chain.is_over.is_set():
            act()
            end_wanted.wait(pause_seconds)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end_wanted.set()
        thread.join()
