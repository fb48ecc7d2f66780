"""A cache for answers that take long to compute: one thread computes, and the others keep answering predictions.

Answers that took long are also kept in files, for the other workers and for the time after a restart.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path

from app.errors import IsowatchError, RecordsBusy
from app.server.atomic_file import replacing
from app.settings import Settings

log = logging.getLogger(__name__)

# People who reload a page see the same figures, and a new label within half a minute.
FRESH_SECONDS = 20.0

# Who looks at a page waits no longer than this: an answer that took longer is computed again in the background, and the
# old one is returned meanwhile. It says when it was estimated.
_QUICK_SECONDS = 0.2

# Yesterday's figures are better than a page that stays empty for ten seconds; older ones are not.
_MAX_AGE_SECONDS = 86_400.0

# A worker has few threads, and one that waits answers nobody.
_PATIENCE_SECONDS = 1.0

# People look at a few windows; answers for others are computed each time.
_MAX_ANSWERS = 8


@dataclass(frozen=True)
class _CachedAnswer:
    """An answer, when it was computed, and how many seconds that took."""

    answer: bytes
    computed_at: float
    seconds: float


class AnswerCache:
    """Computes one answer at a time, and keeps the last few.

    Parameters
    ----------
    clock
        A monotonic clock, in seconds.
    files
        Files for answers that took long. By default, answers are kept in memory only.

    Examples
    --------
    >>> cache = AnswerCache()
    >>> cache.get("7d", lambda: b"computed")
    b'computed'
    >>> cache.get("7d", lambda: b"computed again")
    b'computed'
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, files: AnswerFiles | None = None) -> None:
        self._clock, self._files = clock, files
        self._computing = threading.Lock()
        self._answers: dict[str, _CachedAnswer] = {}

    def get(self, key: str, compute: Callable[[], bytes]) -> bytes:
        """Return an answer that is at most 20 s old, or an older one while another answer is being computed.

        An answer that took long is computed again in a thread of its own, and the old one is returned meanwhile.

        Parameters
        ----------
        key
            What the answer is about.
        compute
            Computes it, perhaps in a copy of the caller's context. Exceptions pass through, and nothing is cached.

        Raises
        ------
        RecordsBusy
            If another thread is computing and there is no answer for this key yet.
        """
        if cached := self._find_fresh(key):
            return cached.answer
        if old := self._find_slow(key):
            # With the context of the request, which names the service.
            if not self._is_fresh(old) and not self._computing.locked():
                threading.Thread(target=copy_context().run, args=(self._refresh, key, compute), daemon=True).start()
            return old.answer
        if not self._computing.acquire(timeout=_PATIENCE_SECONDS):
            if key in self._answers:
                return self._answers[key].answer
            raise RecordsBusy("The figures of another request are being estimated: try again.")
        try:
            if cached := self._find_fresh(key):  # the thread that we waited for has computed it
                return cached.answer
            return self._compute(key, compute)
        finally:
            self._computing.release()

    def _refresh(self, key: str, compute: Callable[[], bytes]) -> None:
        """Compute an answer again, unless another thread is computing one."""
        if not self._computing.acquire(blocking=False):
            return
        try:
            if not self._find_fresh(key):
                self._compute(key, compute)
        except IsowatchError as error:
            log.warning("the figures of %s stay as they were: %s", key, error)
        finally:
            self._computing.release()

    def _compute(self, key: str, compute: Callable[[], bytes]) -> bytes:
        """Compute an answer and store it, with how long that took."""
        started = self._clock()
        answer = compute()
        return self._store(key, answer, self._clock() - started)

    def _find_slow(self, key: str) -> _CachedAnswer | None:
        """Return the newest answer for a key, of this worker or another, if computing it takes long."""
        known = [answer for answer in (self._answers.get(key), self._read(key)) if answer is not None]
        newest = max(known, key=lambda answer: answer.computed_at, default=None)
        is_slow = newest is not None and newest.seconds > _QUICK_SECONDS
        return newest if newest and is_slow and self._clock() - newest.computed_at < _MAX_AGE_SECONDS else None

    def _read(self, key: str) -> _CachedAnswer | None:
        """Return the answer in the file of a key."""
        found = self._files.read(key) if self._files else None
        return _CachedAnswer(found[0], self._clock() - found[1], inf) if found else None

    def _find_fresh(self, key: str) -> _CachedAnswer | None:
        """Return the answer for a key if it is fresh."""
        cached = self._answers.get(key)
        return cached if cached and self._is_fresh(cached) else None

    def _is_fresh(self, cached: _CachedAnswer) -> bool:
        return self._clock() - cached.computed_at < FRESH_SECONDS

    def _store(self, key: str, answer: bytes, seconds: float) -> bytes:
        """Store an answer, replacing the oldest one if there are too many, and return it."""
        others = sorted((old for old in self._answers.items() if old[0] != key), key=lambda old: old[1].computed_at)
        # A new dictionary, because other threads may be reading the old one.
        self._answers = dict(others[-(_MAX_ANSWERS - 1) :]) | {key: _CachedAnswer(answer, self._clock(), seconds)}
        if self._files and seconds > _QUICK_SECONDS:
            self._files.write(key, answer)
        elif self._files:
            self._files.remove(key)  # nobody has to wait for it any more
        return answer


class AnswerFiles:
    """Answers in files of ``STATE_DIR``, which the workers share and which outlive the service.

    Parameters
    ----------
    settings
        The service's settings.
    kind
        What the answers are about. Each kind has its own files, and so has all that answers depend on: the database,
        settings, and the code.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = AnswerFiles(Settings(state_dir=folder), "quality")
    ...     files.write("7d", b"computed")
    ...     files.read("7d")[0], files.read("1d")
    (b'computed', None)
    """

    def __init__(self, settings: Settings, kind: str) -> None:
        self._folder = Path(settings.state_dir) / "answers"
        used = (settings.database_url, settings.record_predictions, settings.label_noise, settings.label_maturity_hours)
        self._kind = f"{kind} {_digest_code()} {used}"

    def read(self, key: str) -> tuple[bytes, float] | None:
        """Return an answer and its age in seconds; None if there is none that can be read."""
        file = self._file_of(key)
        try:
            answer, age = file.read_bytes(), time.time() - file.stat().st_mtime
        except OSError:
            return None
        # The clock may have been set back.
        return (answer, age) if answer and age >= 0 else None

    def write(self, key: str, answer: bytes) -> None:
        """Store an answer, unless the folder cannot be written, and remove the oldest ones if there are too many."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(self._file_of(key), mode=0o600) as unfinished:
                unfinished.write_bytes(answer)
            for old in sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime)[:-_MAX_ANSWERS]:
                old.unlink(missing_ok=True)

    def remove(self, key: str) -> None:
        """Remove an answer."""
        with suppress(OSError):
            self._file_of(key).unlink(missing_ok=True)

    def _file_of(self, key: str) -> Path:
        """Return the file of a key, whose name does not show the database's password."""
        return self._folder / f"{hashlib.sha256(f'{self._kind} {key}'.encode()).hexdigest()[:32]}.json"


@cache
def _digest_code() -> str:
    """Return the digest of the code that makes answers."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
