"""Which columns of a table are used, and what is wrong with them, in words, with the option that leaves them out."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.model.schema import MAX_FEATURES, Features
from training.console import warn
from training.data.tables import UNNAMED, CsvFile
from training.errors import BadArgument, BadData

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


def choose_columns(file: CsvFile, features: Sequence[str] | None, drop: Sequence[str] | None) -> tuple[str, ...]:
    """Select the columns that become features."""
    for option, named in (("--features", features), ("--drop", drop)):
        if unknown := [name for name in named or () if name not in file.header]:
            raise BadArgument(
                f"{option}: {file.path} has no column {unknown[0]}; its columns are {', '.join(file.header)}."
            )
    if features and (twice := [name for name in features if features.count(name) > 1]):
        raise BadArgument(f"--features names {twice[0]} twice; name each column once.")
    if not features and UNNAMED in file.header and UNNAMED not in (drop or ()):
        warn(f"the first column of {file.path} has no name, like the row numbers that pandas writes: it is left out.")
        drop = [*(drop or ()), UNNAMED]
    chosen = tuple(name for name in features or file.header if name not in (drop or ()))
    if not chosen:
        raise BadArgument(f"--drop leaves no column of {file.path}; keep at least one.")
    if len(chosen) > MAX_FEATURES:
        raise BadArgument(
            f"{file.path} has {len(chosen)} columns to train on, at most {MAX_FEATURES} are possible; "
            "choose some with --features or leave some out with --drop."
        )
    return chosen


def check_has_features(file: CsvFile, features: Features) -> None:
    """Refuse a table, with ``BadData``, that lacks a column of a model."""
    if missing := [name for name in features.names if name not in file.header]:
        raise BadData(
            f"{file.path} has no column {missing[0]}, which the model was trained on; "
            f"its columns are {', '.join(file.header)}."
        )


def describe_problems(file: CsvFile, problems: dict[str, ColumnProblem], drop: Sequence[str]) -> str:
    """Return a line for each column that cannot be used, and the option that leaves all of them out."""
    lines = []
    if all(problem.repeats_header for problem in problems.values()):
        where = file.locate(next(iter(problems.values())).position)
        return f"{where} repeats the header (was the file joined from several?); remove the line."
    for name, problem in problems.items():
        lines.append(f"{file.locate(problem.position)}, column {name}: {problem}")
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


# With fewer rows, a column of measurements may be different in each of them by chance.
_MIN_ROWS_OF_IDS = 50

# Of the different values, float32 must be able to tell this share apart.
_SHARE_KEPT, _SHARE_KEPT_OF_FRACTIONS = 0.9, 0.1

# A million different values between 0 and 1 are 600,000 to float32, which is more than enough.
_MAX_COUNTED = 10_000

_ID_NAME = re.compile(r"(?i:(.*[_ .-])?(id|nr|no|number)|index)|.*[a-z]Id")


def find_doubtful_columns(names: Sequence[str], rows: NDArray[np.float64]) -> list[str]:
    """Return a sentence for each column of numbers that is probably an id, a time, or lost in float32.

    Examples
    --------
    >>> rows = np.column_stack([1_767_225_600 + np.arange(300.0), np.linspace(0, 1, 300), np.arange(300.0)])
    >>> find_doubtful_columns(["t", "v", "n"], rows)
    ['Column t has 300 different values, of which float32 keeps 3: subtract a constant, or leave it out.', \
'Column n is different in every row, like an id: leave it out unless it is measured.']
    """
    doubts = []
    for name, values in zip(names, rows.T, strict=True):
        present = values[~np.isnan(values)]
        n_different, n_kept = (len(np.unique(each)) for each in (present, present.astype(np.float32)))
        are_whole = bool((present == np.rint(present)).all())
        # Of other numbers, some differ in their last bits only, which means nothing.
        is_lost = n_kept < (_SHARE_KEPT if are_whole else _SHARE_KEPT_OF_FRACTIONS) * min(n_different, _MAX_COUNTED)
        if is_lost:
            doubts.append(
                f"Column {name} has {n_different:,} different values, of which float32 keeps {n_kept:,}: subtract a "
                "constant, or leave it out."
            )
        elif (are_whole and n_different == len(present) >= _MIN_ROWS_OF_IDS) or (
            _ID_NAME.fullmatch(name) and n_different == len(present) > 1
        ):
            doubts.append(f"Column {name} is different in every row, like an id: leave it out unless it is measured.")
    return doubts
