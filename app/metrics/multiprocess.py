"""Fold the files of dead workers into one archive per kind of metric.

``prometheus_client`` keeps a file per process and kind of metric, and reads all of them at each scrape; after
thousands of worker restarts a scrape takes seconds. Deleting the files of dead workers would make counters fall. So the
arbiter adds a dead worker's counters and histograms to an archive and removes its files, under a lock that scrapes
share: no scrape sees a number twice or not at all.

Notes
-----
Workers name their files by a number that the arbiter never reuses (``name_files_after``), not by process id: a new
process with an old id would continue to write a file that is about to be folded. Each archive has a new name, too.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from app.errors import count_of
from app.metrics.directory import OUT_OF_SPACE_SUFFIX
from app.metrics.live_versions import hidden_versions
from app.metrics.metrics_file import MetricsFile
from app.server.atomic_file import replacing

log = logging.getLogger(__name__)

# These add up over all workers that ever lived; gauges only describe live workers.
_FOLDED_KINDS = ("counter", "histogram")

_ARCHIVE = "archive"

# Quarantined files get this suffix, so that people can examine them.
QUARANTINE_SUFFIX = ".broken"

_FOLD_LOCK_FILE = "fold.lock"

# What reading a broken file can raise.
BROKEN = (struct.error, ValueError, TypeError, RuntimeError, KeyError, IndexError, MemoryError, OverflowError)

# The arbiter must supervise its workers: a fold that does not get the lock in this time is postponed.
_FOLD_TIMEOUT_SECONDS = 0.1

# A scrape holds the lock for a millisecond, so whatever is in the way after this is likely to have ended.
_RETRY_SECONDS = 1.0


class MetricsArchive:
    """Folds the files of ended workers or recorders; used by the process that started them.

    Parameters
    ----------
    folder
        The metrics folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._to_fold: set[int | str] = set()
        self._has_alarm = False
        self._problem = ""

    def retry_by_alarm(self) -> None:
        """Retry postponed folds a second later, by ``SIGALRM``: Gunicorn has no hook that it calls regularly."""
        signal.signal(signal.SIGALRM, lambda *_: self.fold_postponed())
        self._has_alarm = True

    def close(self) -> None:
        """Retry no more."""
        if self._has_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def fold(self, writer: int | str) -> None:
        """Fold the files of an ended process and postponed ones."""
        # Gauges of a dead worker must disappear at once, with or without the lock.
        for pattern in (f"gauge_*_{writer}.db", f"*_{writer}{OUT_OF_SPACE_SUFFIX}"):
            for file in self._folder.glob(pattern):
                file.unlink(missing_ok=True)
        self._to_fold.add(writer)
        self.fold_postponed()

    def fold_postponed(self) -> None:
        """Fold the files of ended processes; if the lock is taken or the folder is full, all wait for the next call."""
        if not self._to_fold:
            return
        lack_of_space = self._folder / f"{_ARCHIVE}{OUT_OF_SPACE_SUFFIX}"
        try:
            with lock_folder(self._folder, fcntl.LOCK_EX, _FOLD_TIMEOUT_SECONDS) as is_locked:
                if is_locked:
                    for kind in _FOLDED_KINDS:
                        self._add_to_archive(kind)
                    self._to_fold.clear()
            problem = "" if is_locked else "a scrape holds the lock"
            lack_of_space.unlink(missing_ok=True)
        except OSError as error:
            problem = f"{self._folder}: {error.strerror}"
            with suppress(OSError):
                lack_of_space.touch()
        if problem and self._has_alarm:
            signal.setitimer(signal.ITIMER_REAL, _RETRY_SECONDS)
        if problem and problem != self._problem:
            log.warning(
                "merging the metrics of %s is postponed: %s", count_of(len(self._to_fold), "exited worker"), problem
            )
        self._problem = problem

    def _add_to_archive(self, kind: str) -> None:
        """Write a new archive, and remove the old one and the files that it includes."""
        files = [self._folder / f"{kind}_{writer}.db" for writer in self._to_fold]
        dead = [file for file in files if file.exists()]
        if not dead:
            return
        dead += self._folder.glob(f"{kind}_{_ARCHIVE}*.db")
        totals: defaultdict[str, float] = defaultdict(float)
        for file in dead:
            for key, value in _read(file):
                totals[key] += value
        self._drop_hidden_versions(kind, totals, dead)
        # If the arbiter dies between the two steps below, the service ends with it, and the next one starts from 0.
        archive = self._folder / f"{kind}_{_ARCHIVE}{time.time_ns()}.db"
        with replacing(archive, durable=False) as unfinished:  # scrapes do not read its suffix
            written = MetricsFile(str(unfinished), is_required=True)
            try:
                for key, value in totals.items():
                    written.write_value(key, value, 0.0)
            finally:
                written.close()  # type: ignore[no-untyped-call]
        for file in dead:
            file.unlink(missing_ok=True)

    def _drop_hidden_versions(self, kind: str, totals: dict[str, float], dead: list[Path]) -> None:
        """Drop the series of models that are no longer shown, unless a live worker has them and would continue them."""
        hidden = hidden_versions(self._folder)
        if not hidden:
            return
        for file in set(self._folder.glob(f"{kind}_*.db")) - set(dead):
            hidden -= {_version(key) for key, _ in _read(file)}
        for key in [key for key in totals if _version(key) in hidden]:
            del totals[key]


def is_read(file: Path, read: Callable[[], None]) -> bool:
    """Read a file, and return whether that worked; a file that is broken is quarantined."""
    try:
        read()
    except FileNotFoundError:  # of a worker that has just ended
        return False
    except BROKEN as error:
        _quarantine(file, error)
        return False
    return True


def _read(file: Path) -> list[tuple[str, float]]:
    """Return the keys and values in a file; none if it is missing, new or broken."""
    entries: list[tuple[str, float]] = []

    def read() -> None:
        if file.stat().st_size == 0:
            return
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
            json.loads(key)  # the archive must not get a broken one
            entries.append((key, value))

    return entries if is_read(file, read) else []


def _version(key: str) -> str | None:
    """Return the model in a key's labels, if there is one."""
    return json.loads(key)[2].get("model_version") if '"model_version"' in key else None


def _quarantine(file: Path, error: Exception) -> None:
    """Rename a broken file so that nobody reads it again."""
    log.error("quarantined %s, its metrics are lost: %s: %s", file, type(error).__name__, error)
    with suppress(FileNotFoundError):  # another scrape quarantined it, too
        file.rename(file.with_name(f"{file.name}.{time.time_ns()}{QUARANTINE_SUFFIX}"))


@contextmanager
def lock_folder(folder: Path, kind: int, timeout_seconds: float | None = None) -> Iterator[bool]:
    """Hold the lock of the folder, exclusive to fold or shared to scrape, and yield whether it was acquired in time."""
    file = os.open(folder / _FOLD_LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        yield _acquire(file, kind, timeout_seconds)
    finally:
        os.close(file)


def _acquire(file: int, kind: int, timeout_seconds: float | None) -> bool:
    """Acquire a lock, and return whether it was acquired in time; without a timeout, wait for ever."""
    if timeout_seconds is None:
        fcntl.flock(file, kind)
        return True
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)  # a scrape takes a few milliseconds
        else:
            return True
