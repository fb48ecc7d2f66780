"""Keeps the metrics folder small for ever: what workers that ended have counted is folded into one file per kind.

``prometheus_client`` keeps a file per process and kind of metric, and reads all of them at each scrape; after
thousands of worker restarts a scrape takes seconds. Deleting the files of dead workers instead would make totals
fall. Here the arbiter adds a dead worker's counters and histograms to an archive and removes its files, under a lock
that scrapes share, so that no scrape sees a number twice or not at all.

Notes
-----
Workers name their files by a number that the arbiter never gives twice (``name_files_after``), not by a process id:
a new process with an old id would go on writing a file that is still to be folded.
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

log = logging.getLogger(__name__)

# What is added up over all workers that ever lived; gauges say something of live workers only.
_FOLDED_KINDS = ("counter", "histogram")

_ARCHIVE = "archive"

# Files that could not be read are kept under this ending, for whoever wants to find out why.
_BROKEN_ENDING = ".broken"

_FOLD_LOCK_FILE = "fold.lock"

# The arbiter must look after its workers: a fold that gets no lock in this time is put off.
_FOLD_PATIENCE_SECONDS = 0.1

# Reading a broken file fails in one of these ways.
_BROKEN = (struct.error, ValueError, RuntimeError, KeyError, IndexError, MemoryError, OverflowError)


def name_files_after(writer: int | str) -> None:
    """Let this process write its metrics under the number of a worker, or a name that no other process ever has.

    To be called before any metric is made.
    """
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: writer)


def close_files() -> None:
    """Close the files of this process, whose last metric has been made."""
    values.close_all_multiprocess_files()


class MetricsArchive:
    """The side of those who start processes: folds the files of workers, or of recorders, that ended.

    Parameters
    ----------
    folder
        The metrics folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._to_fold: set[int | str] = set()

    def fold(self, writer: int | str) -> None:
        """Fold a process that ended, and those that had to wait; without the lock, all wait for the next call."""
        # What a dead worker said of itself must not be told any longer, lock or not.
        for file in self._folder.glob(f"gauge_*_{writer}.db"):
            file.unlink(missing_ok=True)
        self._to_fold.add(writer)
        self.fold_waiting()

    def fold_waiting(self) -> None:
        """Fold the workers that had to wait."""
        if not self._to_fold:
            return
        with _lock(self._folder, fcntl.LOCK_EX, _FOLD_PATIENCE_SECONDS) as locked:
            if not locked:
                log.warning("metrics of %d ended workers wait to be folded: a scrape is slow", len(self._to_fold))
                return
            for kind in _FOLDED_KINDS:
                files = (self._folder / f"{kind}_{writer}.db" for writer in self._to_fold)
                if dead := [file for file in files if file.exists()]:
                    self._add_to_archive(kind, dead)
            self._to_fold.clear()

    def _add_to_archive(self, kind: str, dead: list[Path]) -> None:
        """Write a new archive and put it in place of the old one, then remove what it contains."""
        archive = self._folder / f"{kind}_{_ARCHIVE}.db"
        totals: defaultdict[str, float] = defaultdict(float)
        for file in [archive, *dead]:
            for key, value in _read_or_put_aside(file):
                totals[key] += value
        # The ending keeps scrapes from reading it. If the arbiter dies between the two steps below, the service
        # ends with it, and the next one starts from 0.
        unfinished = archive.with_suffix(".tmp")
        unfinished.unlink(missing_ok=True)
        written = MmapedDict(str(unfinished))
        for key, value in totals.items():
            written.write_value(key, value, 0.0)
        written.close()
        os.replace(unfinished, archive)
        for file in dead:
            file.unlink(missing_ok=True)


def read_metrics(folder: Path) -> list[Metric]:
    """Add up what all workers, dead and alive, have counted; a file that cannot be read is put aside.

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
    """Count the files that hold metrics."""
    return sum(1 for _ in folder.glob("*.db"))


def count_broken_files(folder: Path) -> int:
    """Count the files that were put aside."""
    return sum(1 for _ in folder.glob(f"*{_BROKEN_ENDING}"))


def _merge(files: list[Path]) -> list[Metric]:
    """Add up files."""
    return list(MultiProcessCollector.merge([str(file) for file in files], accumulate=True))


def _has_content(file: Path) -> bool:
    """Tell a file from one that a worker is just making, or that a dead worker's gauges were in."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False


def _is_readable(file: Path) -> bool:
    """Tell whether a file can be added up, and put it aside if not."""
    try:
        _merge([file])
    except _BROKEN as error:
        _put_aside(file, error)
        return False
    return True


def _read_or_put_aside(file: Path) -> list[tuple[str, float]]:
    """Read a file's keys and values; none of one that is missing or broken."""
    if not _has_content(file) or not _is_readable(file):
        return []
    return [(key, value) for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file))]


def _put_aside(file: Path, error: Exception) -> None:
    """Keep a broken file out of the numbers."""
    log.error("put aside %s, whose numbers are lost: %s: %s", file, type(error).__name__, error)
    with suppress(FileNotFoundError):  # another scrape found it, too
        file.rename(file.with_name(f"{file.name}.{time.time_ns()}{_BROKEN_ENDING}"))


@contextmanager
def _lock(folder: Path, kind: int, patience_seconds: float | None = None) -> Iterator[bool]:
    """Hold the lock of the folder; with patience, tell whether it was had in time."""
    file = os.open(folder / _FOLD_LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        yield _acquire(file, kind, patience_seconds)
    finally:
        os.close(file)


def _acquire(file: int, kind: int, patience_seconds: float | None) -> bool:
    """Take a lock, waiting for ever or for a while."""
    if patience_seconds is None:
        fcntl.flock(file, kind)
        return True
    deadline = time.monotonic() + patience_seconds
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
    """Tell how the metrics folder is at the moment of a scrape, and whether the recorder shows in it that it lives.

    Parameters
    ----------
    files
        Files that hold workers' metrics.
    broken_files
        Files that were put aside since the start.
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
        "Files of metrics that could not be read and were put aside.",
        value=broken_files,
    )
    yield GaugeMetricFamily(
        "recorder_up", "1 while the recorder behind the workers lives and works.", value=int(recorder_beats)
    )
