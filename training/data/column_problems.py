"""What is wrong with columns of a table, in words: all of them at once, with the option that leaves them out."""

from __future__ import annotations

import csv
import io
import itertools
import shlex
from collections.abc import Sequence

from training.data.tables import CsvFile

# Longer cells are cut in messages, which should stay on one line.
_MAX_SHOWN_CELL_LENGTH = 40


class ColumnProblem(Exception):
    """A column cannot be read; ``position`` is that of the first bad cell, counted from 0."""

    def __init__(self, position: int, reason: str, *, repeats_header: bool = False) -> None:
        super().__init__(reason)
        self.position, self.repeats_header = position, repeats_header


def show_cell(cell: str) -> str:
    """Return a cell for a message."""
    return repr(cell if len(cell) <= _MAX_SHOWN_CELL_LENGTH else cell[:_MAX_SHOWN_CELL_LENGTH] + "...")


def describe_problems(file: CsvFile, problems: dict[str, ColumnProblem], drop: Sequence[str]) -> str:
    """Return a line for each column that cannot be used, and the option that leaves all of them out."""
    lines = []
    if all(problem.repeats_header for problem in problems.values()):
        line, _ = next(itertools.islice(file.records(), next(iter(problems.values())).position, None))
        return f"{file.path} line {line} repeats the header (was the file joined from several?); remove the line."
    for name, problem in problems.items():
        line, _ = next(itertools.islice(file.records(), problem.position, None))
        lines.append(f"{file.path} line {line}, column {name}: {problem}")
    advice = f" with --drop {join_names(drop)}" if drop else ""
    if len(lines) == 1:
        return lines[0] + (advice if lines[0].endswith("leave the column out") else "") + "."
    listed = "\n".join(f"  {line}" for line in lines)
    how = f"\nTo leave all of them out, train{advice}" if drop else ""
    return f"{len(lines)} columns cannot be used as they are:\n{listed}{how}"


def join_names(names: Sequence[str]) -> str:
    """Return names as an option's value, as a shell takes it.

    Examples
    --------
    >>> print(join_names(["sd", "Amount, EUR"]))
    'sd,"Amount, EUR"'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return shlex.quote(text.getvalue())
