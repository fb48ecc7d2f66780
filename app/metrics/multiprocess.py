"""Read the metrics of all workers, and fold the files of dead workers into one archive per kind of metric.

``prometheus_client`` keeps a file per process and kind of metric, and reads all of them at each scrape; after
thousands of worker restarts a scrape takes seconds. Deleting the files of dead workers would make counters fall. So the
arbiter adds a dead worker's counters and histograms to an archive and removes its files, under a lock that scrapes
share: no scrape sees a number twice or not at all.

Notes
-----
Workers name their files by a number that the arbiter never reuses (``name_files_after``), not by process id: a new
process with an old id would continue to write a file that is about to be folded.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import Metric, values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from app.server.atomic_file import replacing

log = logging.getLogger(__name__)

# These add up over all workers that ever lived; gauges only describe live workers.
_FOLDED_KINDS = ("counter", "histogram")

_ARCHIVE = "archive"

# Quarantined files get this suffix, so that people can examine them.
_QUARANTINE_SUFFIX = ".broken"

_FOLD_LOCK_FILE = "fold.lock"

# The arbiter must supervise its workers: a fold that does not get the lock in this time is postponed.
_FOLD_TIMEOUT_SECONDS = 0.1

# What reading a broken file can raise.
_BROKEN = (struct.error, ValueError, RuntimeError, KeyError, IndexError, MemoryError, OverflowError)


def name_files_after(writer: int | str) -> None:
    """Name the metrics files of this process after a worker's number, or a name that no other process ever has.

    Call this before any metric is created.
    """
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: writer)


def close_files() -> None:
    """Close the metrics files of this process; no metric may change afterwards."""
    values.close_all_multiprocess_files()


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

    def fold(self, writer: int | str) -> None:
        """Fold the files of an ended process and postponed ones; if the lock is taken, all wait for the next call."""
        # Gauges of a dead worker must disappear at once, with or without the lock.
        for file in self._folder.glob(f"gauge_*_{writer}.db"):
            file.unlink(missing_ok=True)
        self._to_fold.add(writer)
        self.fold_postponed()

    def fold_postponed(self) -> None:
        """Fold the files of processes for which the lock was taken."""
        if not self._to_fold:
            return
        with _lock(self._folder, fcntl.LOCK_EX, _FOLD_TIMEOUT_SECONDS) as locked:
            if not locked:
                log.warning(
                    "merging the metrics of %d exited workers is postponed: a scrape holds the lock", len(self._to_fold)
                )
                return
            for kind in _FOLDED_KINDS:
                files = (self._folder / f"{kind}_{writer}.db" for writer in self._to_fold)
                if dead := [file for file in files if file.exists()]:
                    self._add_to_archive(kind, dead)
            self._to_fold.clear()

    def _add_to_archive(self, kind: str, dead: list[Path]) -> None:
        """Write a new archive, replace the old one with it, and remove the files that it includes."""
        archive = self._folder / f"{kind}_{_ARCHIVE}.db"
        totals: defaultdict[str, float] = defaultdict(float)
        for file in [archive, *dead]:
            for key, value in _read_or_quarantine(file):
                totals[key] += value
        # If the arbiter dies between the two steps below, the service ends with it, and the next one starts from 0.
        with replacing(archive, durable=False) as unfinished:  # scrapes do not read its suffix
            written = MmapedDict(str(unfinished))
            for key, value in totals.items():
                written.write_value(key, value, 0.0)
            written.close()
        for file in dead:
            file.unlink(missing_ok=True)


def read_metrics(folder: Path) -> list[Metric]:
    """Return the sum of the metrics of all workers, dead or alive; files that cannot be read are quarantined.

    Parameters
    ----------
    folder
        The metrics folder.
    """
    with _lock(folder, fcntl.LOCK_SH):
        files = [file for file in sorted(folder.glob("*.db")) if _has_content(file)]
        try:
            return _merge(files)
        except _BROKEN:
            return _merge([file for file in files if _is_readable(file)])


def count_files(folder: Path) -> int:
    """Return the number of metrics files."""
    return sum(1 for _ in folder.glob("*.db"))


def count_broken_files(folder: Path) -> int:
    """Return the number of quarantined files."""
    return sum(1 for _ in folder.glob(f"*{_QUARANTINE_SUFFIX}"))


def _merge(files: list[Path]) -> list[Metric]:
    """Return the sum of the metrics in files."""
    return list(MultiProcessCollector.merge([str(file) for file in files], accumulate=True))


def _has_content(file: Path) -> bool:
    """Return whether a file has content; one that a worker is creating has none, and a dead worker's may be gone."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False


def _is_readable(file: Path) -> bool:
    """Return whether a file can be read, and quarantine it if not."""
    try:
        _merge([file])
    except _BROKEN as error:
        _quarantine(file, error)
        return False
    return True


def _read_or_quarantine(file: Path) -> list[tuple[str, float]]:
    """Return the keys and values in a file; none if it is missing or broken."""
    if not _has_content(file) or not _is_readable(file):
        return []
    return [(key, value) for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file))]


def _quarantine(file: Path, error: Exception) -> None:
    """Rename a broken file so that nobody reads it again."""
    log.error("quarantined %s, its metrics are lost: %s: %s", file, type(error).__name__, error)
    with suppress(FileNotFoundError):  # another scrape quarantined it, too
        file.rename(file.with_name(f"{file.name}.{time.time_ns()}{_QUARANTINE_SUFFIX}"))


@contextmanager
def _lock(folder: Path, kind: int, timeout_seconds: float | None = None) -> Iterator[bool]:
    """Hold the lock of the folder, and yield whether it was acquired in time."""
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


def describe_folder(files: int, broken_files: int, recorder_beats: bool) -> Iterator[Metric]:
    """Yield the metrics about the metrics folder, and whether the recorder is alive, at the time of a scrape.

    Parameters
    ----------
    files
        The number of metrics files.
    broken_files
        The number of files that were quarantined since the start.
    recorder_beats
        Whether the recorder's heartbeat is fresh.

    Examples
    --------
    >>> [family.name for family in describe_folder(3, 0, recorder_beats=True)]
    ['metrics_files', 'metrics_files_quarantined', 'recorder_up']
    """
    yield GaugeMetricFamily("metrics_files", "Files that hold the workers' metrics.", value=files)
    yield CounterMetricFamily(
        "metrics_files_quarantined",
        "Metrics files that could not be read and were quarantined.",
        value=broken_files,
    )
    yield GaugeMetricFamily("recorder_up", "1 while the recorder is alive and works.", value=int(recorder_beats))
