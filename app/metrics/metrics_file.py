"""The files in which processes keep their metrics, which survive a full metrics folder.

``prometheus_client`` maps files whose space is not allocated yet. If the folder is full, the kernel ends the process
that writes to them (SIGBUS). Here space is allocated first. Series that get none stay in the memory of the process,
where no scrape sees them.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from app.metrics.directory import OUT_OF_SPACE_SUFFIX

log = logging.getLogger(__name__)

# A quarter of prometheus_client's size, which is allocated now: most files of gauges need less. It doubles when full.
_FIRST_SIZE_BYTES = 1 << 14


class MetricsFile(MmapedDict):
    """``prometheus_client``'s file of values, with space allocated before it is written to.

    Parameters
    ----------
    filename
        The file, which is created if it does not exist.
    is_required
        Whether to raise if there is no space, instead of keeping values in memory.

    Raises
    ------
    OSError
        If there is no space for values that are required.
    """

    def __init__(self, filename: str, is_required: bool = False) -> None:
        self._path, self._is_required = Path(filename), is_required
        self._in_memory: dict[str, tuple[float, float]] = {}
        self._is_lack_noted = False
        try:
            self._allocate_first()
        except OSError as error:
            self._note_lack_of_space(error)
            # What MmapedDict has before its first key, without a file.
            self._f = self._m = None  # type: ignore[assignment]
            self._positions: dict[str, int] = {}
            self._capacity = self._used = 0
        else:
            super().__init__(filename)  # type: ignore[no-untyped-call]

    def read_value(self, key: str) -> tuple[float, float]:
        """Return a value and its time stamp; both start at 0."""
        self._add(key)
        if key in self._in_memory:
            return self._in_memory[key]
        value: tuple[float, float] = super().read_value(key)  # type: ignore[no-untyped-call]
        return value

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Write a value and its time stamp."""
        self._add(key)
        if key in self._in_memory:
            self._in_memory[key] = (value, timestamp)
        else:
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]

    def _add(self, key: str) -> None:
        """Add a key, in memory if the file cannot grow."""
        if key in self._positions or key in self._in_memory:
            return
        try:
            # As many bytes as MmapedDict needs at most: length, key, padding and two doubles.
            self._grow_to(self._used + len(key.encode()) + 32)
        except OSError as error:
            self._note_lack_of_space(error)
            self._in_memory[key] = (0.0, 0.0)
        else:
            self._init_value(key)  # type: ignore[no-untyped-call]

    def _allocate_first(self) -> None:
        """Create the file with space for its first keys, or leave none behind."""
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size == 0:
                os.posix_fallocate(descriptor, 0, _FIRST_SIZE_BYTES)
        except OSError:
            self._path.unlink()
            raise
        finally:
            os.close(descriptor)

    def _grow_to(self, n_bytes: int) -> None:
        """Allocate what MmapedDict will map next: it doubles its size until the content fits."""
        if self._f is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        capacity = self._capacity
        while n_bytes > capacity:
            capacity *= 2
        if capacity > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, capacity)

    def _note_lack_of_space(self, error: OSError) -> None:
        """Log once per file that there is no space, and leave a note for scrapes."""
        if self._is_required:
            raise error
        if self._is_lack_noted:
            return
        self._is_lack_noted = True
        log.error(
            "%s cannot grow (%s): metrics of this process are missing from scrapes. Free space in %s, then replace the "
            "workers by sending SIGHUP to the service.",
            self._path.name,
            error.strerror,
            self._path.parent,
        )
        with suppress(OSError):
            self._path.with_suffix(OUT_OF_SPACE_SUFFIX).touch()


def name_files_after(writer: int | str) -> None:
    """Name the metrics files of this process after a worker's number, or a name that no other process ever has.

    Call this before any metric is created.
    """
    values.MmapedDict = MetricsFile  # type: ignore[attr-defined]  # prometheus_client has no option for it
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: writer)


def close_files() -> None:
    """Close the metrics files of this process; no metric may change afterwards."""
    values.close_all_multiprocess_files()
