"""Answers that take long to make, kept for a while: one thread makes them, and the others answer predictions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import RecordsBusy

# Whoever reloads a page sees the same figures, and a new label within the minute.
_FRESH_SECONDS = 20.0

# A worker has few threads; one that waits answers nobody.
_PATIENCE_SECONDS = 1.0

# A few windows that people ask for; others are made anew each time.
_MOST_KEPT = 8


@dataclass(frozen=True)
class _Kept:
    """An answer and when it was made."""

    answer: bytes
    made_at: float


class RecentAnswers:
    """Makes one answer at a time, and keeps the last few.

    Parameters
    ----------
    clock
        A clock that only goes forward, in seconds.

    Examples
    --------
    >>> answers = RecentAnswers()
    >>> answers.get("7d", lambda: b"made")
    b'made'
    >>> answers.get("7d", lambda: b"made again")
    b'made'
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._making = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def get(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Give an answer, at most some seconds old unless another one is just being made.

        Parameters
        ----------
        name
            Which one.
        make
            Makes it; what it raises is raised, and nothing is kept.

        Raises
        ------
        RecordsBusy
            If another thread makes one and there is none of this name yet.
        """
        if kept := self._find_fresh(name):
            return kept.answer
        if not self._making.acquire(timeout=_PATIENCE_SECONDS):
            if name in self._kept:
                return self._kept[name].answer
            raise RecordsBusy("The figures of another request are being estimated: try again.")
        try:
            if kept := self._find_fresh(name):  # the thread that was waited for has made it
                return kept.answer
            return self._keep(name, make())
        finally:
            self._making.release()

    def _find_fresh(self, name: str) -> _Kept | None:
        """Find an answer that is young enough."""
        kept = self._kept.get(name)
        return kept if kept and self._clock() - kept.made_at < _FRESH_SECONDS else None

    def _keep(self, name: str, answer: bytes) -> bytes:
        """Keep an answer in place of the oldest one."""
        others = sorted((old for old in self._kept.items() if old[0] != name), key=lambda old: old[1].made_at)
        # Made anew instead of changed: other threads may be reading it.
        self._kept = dict(others[-(_MOST_KEPT - 1) :]) | {name: _Kept(answer, self._clock())}
        return answer
