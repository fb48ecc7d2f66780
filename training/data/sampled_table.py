"""Read a table of any size, or many: as it is if it is small, else a sample of its rows, in bounded memory.

The sample is the rows with the smallest keys, as ``spark.sample`` draws it: uniform, without replacement, and the same
for any order of rows and files. A row's key is a hash of its values and of its number among equal rows. While the table
is read, each row is taken for the first of its kind, and those with the smallest keys are kept. The log of all hashes
then shows which rows occur more than once, and so the other keys. A row that is drawn for one of these may not be among
those that were kept: then the table is read once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spark.sampling import draw_keys
from training.data.addresses import TableFile
from training.data.block_hashes import count_rows, hash_block, is_typed, join_rows, number_rows, split_rows
from training.data.choices import SampleOptions
from training.data.fast_hashes import PARTS, Hashes
from training.data.folders import digest_tables, list_tables, read_blocks_of_tables
from training.data.hash_log import HashLog
from training.data.source import GUESS, Dialect, RowOrigins
from training.data.tables import CsvFile, open_csv_file
from training.data.threads import Threads

_NO_BOUND = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class _Rows:
    """Rows of one or more blocks.

    Parameters
    ----------
    hashes
        Shape ``(n_rows,)``.
    keys
        As the first of their kind, same shape.
    rows
        As of ``split_rows``.
    paths, lines
        Where each begins: the number of the file, and the line.
    """

    hashes: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    rows: pa.Table
    paths: NDArray[np.int32]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.hashes)

    def take(self, places: NDArray[np.int64]) -> _Rows:
        """Return some of the rows."""
        rows = self.rows.take(pa.array(places)).combine_chunks()
        return _Rows(self.hashes[places], self.keys[places], rows, self.paths[places], self.lines[places])

    def distinct(self) -> _Rows:
        """Return the distinct rows, the first of each."""
        in_order = np.sort(self.hashes)
        # To find out where the equal ones are takes several times as long, and often there are none.
        if (in_order[1:] != in_order[:-1]).all():
            return self
        return self.take(np.unique(self.hashes, return_index=True)[1])

    @classmethod
    def join(cls, parts: Sequence[_Rows]) -> _Rows:
        """Return the rows of parts."""
        hashes, keys, paths, lines = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("hashes", "keys", "paths", "lines")
        )
        return cls(hashes, keys, pa.concat_tables([part.rows for part in parts]), paths, lines)


def read_sampled_file(
    source: TableFile,
    dialect: Dialect,
    options: SampleOptions,
    choose: Callable[[CsvFile], tuple[Sequence[str], Sequence[str]]],
) -> CsvFile:
    """Read a table, or the tables of a folder or pattern as one; of more rows than wanted, a sample.

    Parameters
    ----------
    source, dialect
        As of ``read_blocks``; a folder or pattern as of ``find_tables``.
    options
        How many rows.
    choose
        Called with the first block; returns the columns that tell rows apart, and which of them are texts in any case.

    Returns
    -------
    A table. The rows of a sample are in the order of their keys, all others in the order of files and lines; unless
    it is one whole file, it has ``origins``.

    Raises
    ------
    BadData
        If a table cannot be read, has other columns than the first, or there is none; or if the temporary file of 8
        bytes for each row cannot be written.
    """
    return _Reading(source, dialect, options, choose).read()


class _Reading:
    """One reading of a source; arguments as of :func:`read_sampled_file`."""

    def __init__(
        self,
        source: TableFile,
        dialect: Dialect,
        options: SampleOptions,
        choose: Callable[[CsvFile], tuple[Sequence[str], Sequence[str]]],
    ) -> None:
        self._source, self._dialect, self._options = source, dialect, options
        self._paths, self._choose = list_tables(source), choose
        self._bound = _NO_BOUND
        self._first: CsvFile
        self._hash: Callable[[CsvFile], tuple[Hashes, Hashes]]

    def read(self) -> CsvFile:
        """Read the table."""
        with ThreadPoolExecutor(1) as digesting, closing(read_blocks_of_tables(self._paths, self._dialect)) as blocks:
            whole: list[tuple[int, CsvFile]] = []
            n_rows = 0
            for place, file in blocks:
                if not whole:
                    self._first = file
                    names, texts = self._choose(file)
                    self._dialect = file.dialect if not is_typed(file) else GUESS
                    self._hash = partial(hash_block, names=names, texts=texts, seed=self._options.seed)
                whole.append((place, file))
                n_rows += count_rows(file)
                if n_rows > self._options.max_rows:
                    break
            else:
                return self._join(whole)
            digest = digesting.submit(self._find_digest)
            return self._draw(_chain(whole, blocks), digest.result)

    def _join(self, blocks: Sequence[tuple[int, CsvFile]]) -> CsvFile:
        """Return a whole table."""
        if len(self._paths) == 1:
            # A file is read as all commands read it.
            return self._first if self._is_in_memory else open_csv_file(self._paths[0], self._dialect)
        filled = [(place, file) for place, file in blocks if count_rows(file)] or blocks[:1]
        rows = pa.concat_tables([split_rows(file) for _, file in filled])
        lines = np.concatenate([number_rows(file) for _, file in filled])
        places = np.repeat([place for place, _ in filled], [count_rows(file) for _, file in filled])
        return self._to_file(rows, RowOrigins(tuple(self._paths), places, lines, len(lines)), self._find_digest())

    def _draw(self, blocks: Iterator[tuple[int, CsvFile]], find_digest: Callable[[], str]) -> CsvFile:
        """Return a sample of a table."""
        n, n_rows = self._options.max_rows, 0
        with HashLog() as log, Threads() as threads:
            parts: list[_Rows] = []
            for hashes, part in threads.map(self._select, blocks):
                log.add(hashes)
                n_rows += len(hashes)
                self._options.on_rows(n_rows)
                parts.append(part)
                if sum(map(len, parts)) > 2 * n:
                    parts = [self._keep_smallest(_Rows.join(parts))]
            log.finish()
            kept = self._keep_smallest(_Rows.join(parts))
            hashes, keys = self._find_keys(kept, log, threads)
            known = kept.hashes.argsort()
            places = known[np.searchsorted(kept.hashes[known], hashes).clip(max=len(known) - 1)]
            missing = np.unique(hashes[kept.hashes[places] != hashes])
            if len(missing):
                kept = _Rows.join([kept, *self._find_rows(missing, threads)]).distinct()
                known = kept.hashes.argsort()
                places = known[np.searchsorted(kept.hashes[known], hashes)]
        drawn = kept.take(places[keys.argsort()])
        origins = RowOrigins(tuple(self._paths), drawn.paths, drawn.lines, n_rows, self._options.seed)
        return self._to_file(drawn.rows, origins, find_digest())

    def _select(self, block: tuple[int, CsvFile]) -> tuple[NDArray[np.uint64], _Rows]:
        """Return the hashes of a block, and its rows that may be drawn; called in threads."""
        place, file = block
        hashes, keys = self._hash(file)
        # Another thread may lower the bound meanwhile: an older one keeps more rows than necessary, never too few.
        return hashes, self._take(place, file, hashes, keys, np.flatnonzero(keys <= self._bound))

    @staticmethod
    def _take(
        place: int, file: CsvFile, hashes: NDArray[np.uint64], keys: NDArray[np.uint64], wanted: NDArray[np.int64]
    ) -> _Rows:
        """Return rows of a block."""
        rows = split_rows(file).take(pa.array(wanted))
        lines = number_rows(file)[wanted]
        return _Rows(hashes[wanted], keys[wanted], rows, np.full(len(wanted), place, np.int32), lines)

    def _keep_smallest(self, rows: _Rows) -> _Rows:
        """Return the distinct rows with the smallest keys, as many as are drawn."""
        n = self._options.max_rows
        if len(rows) > n:
            bound = np.partition(rows.keys, n - 1)[n - 1]
            smallest = rows.take(np.flatnonzero(rows.keys <= bound)).distinct()
            if len(smallest) == n:
                self._bound = bound
                return smallest
        # Equal rows have equal keys, so the n smallest keys belong to fewer than n distinct rows.
        rows = rows.distinct()
        return rows if len(rows) <= n else self._keep_smallest(rows)

    def _find_keys(self, kept: _Rows, log: HashLog, threads: Threads) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return the hashes of the drawn rows, and their keys."""
        n = self._options.max_rows

        def find(part: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
            repeated, counts = log.find_repeated(part)
            places, keys = draw_keys(repeated, counts - 1, n, first=1)
            is_small = keys <= self._bound
            return repeated[places[is_small]], keys[is_small]

        def keep_smallest() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
            hashes, keys = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
            smallest = np.argpartition(keys, n - 1)[:n]
            return hashes[smallest], keys[smallest]

        drawn = [(kept.hashes, kept.keys)]
        for found in threads.map(find, range(PARTS)):
            drawn.append(found)
            if sum(len(keys) for _, keys in drawn) > 2 * n:
                drawn = [keep_smallest()]
        return keep_smallest()

    def _find_rows(self, wanted: NDArray[np.uint64], threads: Threads) -> list[_Rows]:
        """Read the table again, until all rows with these hashes, ascending, are found."""

        def find(block: tuple[int, CsvFile]) -> _Rows:
            place, file = block
            hashes, _ = self._hash(file)
            found = wanted[np.searchsorted(wanted, hashes).clip(max=len(wanted) - 1)] == hashes
            distinct = np.unique(hashes[found], return_index=True)[1]
            return self._take(place, file, hashes, hashes, np.flatnonzero(found)[distinct])

        parts: list[_Rows] = []
        with closing(read_blocks_of_tables(self._paths, self._dialect)) as blocks:
            for part in threads.map(find, [(0, self._first)] if self._is_in_memory else blocks):
                parts.append(part)
                if sum(map(len, parts)) > 2 * len(wanted):
                    parts = [_Rows.join(parts).distinct()]
                if len(parts) == 1 and len(parts[0]) == len(wanted):
                    break
        return parts

    @property
    def _is_in_memory(self) -> bool:
        """Whether the first block is all of the table, which may be a pipe that cannot be read again."""
        return len(self._paths) == 1 and bool(self._first.sha256)

    def _find_digest(self) -> str:
        """Return the digest of the table."""
        return self._first.sha256 if self._is_in_memory else digest_tables(self._paths)

    def _to_file(self, rows: pa.Table, origins: RowOrigins, sha256: str) -> CsvFile:
        """Return rows as a table."""
        text = b"" if is_typed(self._first) else join_rows(self._first.text.partition(b"\n")[0], rows)
        columns = rows if is_typed(self._first) else None
        return replace(self._first, path=self._source, sha256=sha256, text=text, columns=columns, origins=origins)


def _chain(begun: list[tuple[int, CsvFile]], rest: Iterator[tuple[int, CsvFile]]) -> Iterator[tuple[int, CsvFile]]:
    """Yield blocks that were read already, which are then forgotten, and the others."""
    while begun:
        yield begun.pop(0)
    yield from rest
