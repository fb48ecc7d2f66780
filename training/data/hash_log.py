"""The hashes of all rows of a table in a temporary file, to find those that occur more than once.

No method of bounded memory can number equal rows (docs/decisions/0041-keys-of-sampled-rows.md), but 8 bytes on disk
for each row can.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.typing import NDArray

from training.data.fast_hashes import divide_hashes, find_repeated
from training.errors import BadData

# Hashes written at once: 4 MB, which fit in a processor's cache.
_CHUNK_ROWS = 2**19


class HashLog:
    """Hashes of rows; a context manager, which removes the file.

    Examples
    --------
    >>> with HashLog() as log:
    ...     log.add(np.array([7, 5 << 60, 7, 9], np.uint64))
    ...     log.finish()
    ...     [count.tolist() for count in log.find_repeated(0)]
    [[7], [2]]
    """

    def __init__(self) -> None:
        self._pending: list[NDArray[np.uint64]] = []
        self._n_pending = self._n_written = 0
        # Of each chunk: where its parts begin and end, in hashes from the start of the file.
        self._bounds: list[NDArray[np.int64]] = []
        self._writer = ThreadPoolExecutor(1, "hashes")
        self._writing: Future[None] | None = None

    def __enter__(self) -> HashLog:
        with _refusing_a_full_disk():
            self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown(cancel_futures=True)
        self._file.close()

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Add hashes of rows."""
        self._pending.append(hashes)
        self._n_pending += len(hashes)
        if self._n_pending >= _CHUNK_ROWS:
            self._write()

    def finish(self) -> None:
        """Write what is left."""
        self._write()
        if self._writing is not None:
            self._writing.result()

    def find_repeated(self, part: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the hashes of a part that occur more than once, ascending, and how often.

        Parts are numbered from 0 to ``PARTS`` - 1 by the first byte of hashes; a billion rows make parts of 31 MB.
        """
        read = [
            np.frombuffer(os.pread(self._file.fileno(), 8 * int(end - start), 8 * int(start)), np.uint64)
            for start, end in (bounds[part : part + 2] for bounds in self._bounds)
        ]
        return find_repeated(np.concatenate([*read, np.empty(0, np.uint64)]))

    def _write(self) -> None:
        """Write the pending hashes in a thread; at most one chunk is being written."""
        if self._writing is not None:
            self._writing.result()
        hashes = np.concatenate([*self._pending, np.empty(0, np.uint64)])
        self._pending, self._n_pending = [], 0
        self._writing = self._writer.submit(self._write_parts, hashes)

    def _write_parts(self, hashes: NDArray[np.uint64]) -> None:
        """Write a chunk, part after part."""
        divided, ends = divide_hashes(hashes)
        with _refusing_a_full_disk():
            rest = memoryview(divided.view(np.uint8))  # type: ignore[arg-type]
            while rest:
                rest = rest[self._file.write(rest) :]
        self._bounds.append(self._n_written + np.concatenate([[0], ends]))
        self._n_written += len(hashes)


@contextmanager
def _refusing_a_full_disk() -> Iterator[None]:
    """Turn an error of the temporary file into a refusal."""
    try:
        yield
    except OSError as error:
        # The folder is not known if none is writable.
        raise BadData(
            f"The hashes of the rows cannot be stored ({error.strerror}): set TMPDIR to a folder with 8 bytes for each "
            "row of the table."
        ) from None
