"""Rows that cannot be scored: find them in a block, and write them to a file of their own with the reasons."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa

from app.errors import count_of
from app.model.schema import Features
from training.data.addresses import TableFile, open_result
from training.data.column_problems import ColumnProblem
from training.data.columnar import with_text
from training.data.columns import read_known_column, read_texts
from training.data.tables import CsvFile
from training.errors import BadData

# Follows the name of the target.
REJECTS_SUFFIX = ".rejects.csv"


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be scored.

    Parameters
    ----------
    line
        The number of the line on which it starts, counted from 1.
    reason
        What is wrong with it, and what to do.
    cells
        Its cells.
    """

    line: int
    reason: str
    cells: Sequence[str]


def separate_bad_rows(file: CsvFile, features: Features) -> tuple[CsvFile, list[BadRow]]:
    """Return a table without the rows that cannot be scored, and these.

    Raises
    ------
    BadData
        If the quotes do not match: the ends of rows are then unknown.
    """
    file = with_text(file)
    numbered = list(file.records(checks_width=False))
    reasons: dict[int, str] = {
        place: f"the header has {count_of(len(file.header), 'column')}, this line {len(cells)}"
        for place, (_, cells) in enumerate(numbered)
        if len(cells) != len(file.header)
    }
    places = [place for place in range(len(numbered)) if place not in reasons]
    texts = read_texts(_with_records(file, [numbered[place][1] for place in places]), features.names)
    for column, name in enumerate(features.names):
        for position, reason in _find_bad_cells(texts[name], file, features, column):
            reasons.setdefault(places[position], f"column {name}: {reason}")
    good = [place for place in range(len(numbered)) if place not in reasons]
    kept = _with_records(file, [numbered[place][1] for place in good])
    if file.columns is not None:
        kept = replace(kept, columns=file.columns.take(pa.array(good, pa.int64())))
    return kept, [BadRow(numbered[place][0], reasons[place], numbered[place][1]) for place in sorted(reasons)]


def _with_records(file: CsvFile, records: Sequence[Sequence[str]]) -> CsvFile:
    """Return a table with other rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", delimiter=file.dialect.separator)
    writer.writerow(file.header)
    writer.writerows(records)
    return replace(file, text=text.getvalue().removesuffix("\n").encode())


def _find_bad_cells(texts: pd.Series[str], file: CsvFile, features: Features, column: int) -> list[tuple[int, str]]:
    """Return the positions of cells that cannot be used, and why, by halving the column as long as it has some."""
    parts, found = [(0, len(texts))], []
    while parts:
        start, end = parts.pop()
        if start == end:
            continue
        try:
            read_known_column(texts.iloc[start:end].reset_index(drop=True), file, features, column)
        except ColumnProblem as problem:
            # Its position is not that of the first bad cell if cells are bad in different ways.
            if end - start == 1:
                found.append((start, str(problem)))
            else:
                middle = (start + end) // 2
                parts += [(middle, end), (start, middle)]
    return found


def check_some_are_left(n_rows: int, n_bad: int, path: object) -> None:
    """Refuse a table, with ``BadData``, of which no row can be scored."""
    if not n_rows and n_bad:
        raise BadData(
            f"{path}: none of its {count_of(n_bad, 'row')} can be scored; without --on-bad-row skip, see why."
        )


def rejects_of(target: TableFile) -> TableFile:
    """Return the file beside a target that gets the rows that cannot be scored."""
    return target.with_name(target.name + REJECTS_SUFFIX)


class Rejects:
    """The file of the rows that cannot be scored, if there are any; it appears when the block ends, as the result does.

    Parameters
    ----------
    target
        Where the rows that are scored are written.
    """

    def __init__(self, target: TableFile) -> None:
        self._path, self._stack = rejects_of(target), ExitStack()
        self._writer: Any = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def write(self, file: CsvFile, rows: Sequence[BadRow]) -> None:
        """Write rows of a block, each as one cell of text."""
        if rows and self._writer is None:
            opened = self._stack.enter_context(open_result(self._path))
            text = self._stack.enter_context(io.TextIOWrapper(opened, encoding="utf-8", newline=""))
            self._writer = csv.writer(text, lineterminator="\n")
            self._writer.writerow(("line", "reason", "row"))
        for row in rows:
            cells = io.StringIO()
            csv.writer(cells, lineterminator="", delimiter=file.dialect.separator).writerow(row.cells)
            self._writer.writerow((row.line, row.reason, cells.getvalue()))

    def remove_old(self) -> None:
        """Remove the file of an earlier run if this one found no such row."""
        if self._writer is None:
            self._path.unlink(missing_ok=True)
