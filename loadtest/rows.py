"""Read rows from a CSV file, generate them within the ranges of the model's features, and make them drift."""

from __future__ import annotations

import csv
import math
import random
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from loadtest.model_description import ModelDescription

# The repository's test set; in the load test's image this is a link to /data.
DEFAULT_ROWS = Path(__file__).resolve().parent.parent / "data" / "test.csv"

# Enough that repeating them does not trigger a detector, and few enough to generate quickly for 256 features.
GENERATED_ROWS = 1_000

Row = tuple[float, ...]


class UnusableRows(Exception):
    """A file of rows cannot be used; the message names file, line and column and says what to do."""


def read_rows(path: Path) -> list[Row]:
    """Read the rows that the users send from a CSV file.

    Parameters
    ----------
    path
        A CSV file with a header and one or more columns of finite numbers. Blank lines are ignored.

    Returns
    -------
    At least one row, in the file's order, each as long as the header.

    Raises
    ------
    UnusableRows
        If the file is missing, unreadable or empty, has no header or rows of different lengths, or contains a cell
        that is not a finite number.
    """
    try:
        # "-sig" because spreadsheets start the file with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse_rows(path, file)
    except FileNotFoundError:
        raise UnusableRows(
            f"{path} does not exist: create it with `make data`, or give another file with --rows FILE."
        ) from None
    except OSError as error:
        raise UnusableRows(f"{path} cannot be read ({error.strerror}): give another file with --rows FILE.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableRows(f"{path} is not a CSV file in UTF-8 ({error}): convert it.") from error


def _parse_rows(path: Path, lines: Iterable[str]) -> list[Row]:
    """Parse the lines of a CSV file; ``path`` is only used in error messages."""
    reader = csv.reader(lines)
    header = next(reader, [])
    if not header:
        raise UnusableRows(f"{path} does not start with a header: add a first line with the names of the columns.")
    if all(_finite_number(cell) is not None for cell in header):
        raise UnusableRows(f"{path} starts with numbers: add a header, a first line with the names of the columns.")
    rows = [_parse_row(path, reader.line_num, header, cells) for cells in reader if cells]
    if not rows:
        raise UnusableRows(f"{path} has a header but no rows: add at least one row of numbers.")
    return rows


def _parse_row(path: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    """Parse the cells of one line."""
    if len(cells) != len(header):
        raise UnusableRows(
            f"{path}, line {line}: {len(cells)} cells, but the header has {len(header)}; "
            "give the line one number per column."
        )
    numbers = []
    for column, cell in zip(header, cells, strict=True):
        number = _finite_number(cell)
        if number is None:
            raise UnusableRows(
                f"{path}, line {line}, column {column}: {cell!r} is not a finite number; "
                "correct it, or remove the line."
            )
        numbers.append(number)
    return tuple(numbers)


def _finite_number(cell: str) -> float | None:
    """Return the number in a cell, or None if it is not a number that strict JSON allows."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def choose_rows(named: Path | None, default: Path, model: ModelDescription | None, seed: int) -> tuple[list[Row], str]:
    """Select rows that fit the model.

    Parameters
    ----------
    named
        The file given with ``--rows``: used or rejected, never replaced.
    default
        The file used without ``--rows``, if it exists and fits the model.
    model
        The service's description of its model; None if there is none.
    seed
        Seed for generated rows.

    Returns
    -------
    At least one row, and their source for the log.

    Raises
    ------
    UnusableRows
        If the given file cannot be used, or there is neither a file nor a description to generate rows from.
    """
    if named is not None:
        rows = read_rows(named)
        if model is not None and len(rows[0]) != len(model.feature_names):
            raise UnusableRows(
                f"{named} has {_columns(len(rows[0]))} but the model takes {len(model.feature_names)} "
                f"({', '.join(model.feature_names)}): use a file that fits, or omit --rows."
            )
        return rows, str(named)
    if default.exists():
        rows = read_rows(default)
        if model is None or len(rows[0]) == len(model.feature_names):
            return rows, str(default)
    if model is None:
        raise UnusableRows(
            f"{default} does not exist and the service does not describe its model: "
            "create the file with `make data`, or give another one with --rows FILE."
        )
    rows = generate_rows(model.feature_ranges, seed)
    return rows, f"{len(rows)} rows generated within the ranges of the model's features"


def generate_rows(ranges: Sequence[tuple[float, float]], seed: int) -> list[Row]:
    """Generate rows within the ranges of the training data.

    Parameters
    ----------
    ranges
        Smallest and largest value of each feature.
    seed
        The same seed generates the same rows.

    Returns
    -------
    Rows with one number per feature, uniform in its range and independent of the others. Most of them are more
    unusual than the training rows, because values are rarely uniform within their range.

    Examples
    --------
    >>> rows = generate_rows([(0.0, 1.0), (5.0, 5.0)], seed=16)
    >>> len(rows), 0 <= rows[0][0] <= 1, rows[0][1]
    (1000, True, 5.0)
    """
    generator = random.Random(seed)
    # Not `uniform`: its high - low overflows for ranges wider than the largest float.
    shares = ([generator.random() for _ in ranges] for _ in range(GENERATED_ROWS))
    return [
        tuple(low * (1 - share) + high * share for share, (low, high) in zip(row, ranges, strict=True))
        for row in shares
    ]


def drift_rows(rows: Sequence[Row], shift: float, scale: float) -> list[Row]:
    """Shift and scale rows, feature by feature.

    Parameters
    ----------
    rows
        At least one row.
    shift
        How far to shift each feature's mean, in its standard deviations; 0 for no shift.
    scale
        Factor for the distance of each value from the mean; 1 for no change.

    Returns
    -------
    The same number of rows. A constant feature is treated as having a standard deviation of 1.

    Raises
    ------
    UnusableRows
        If a number becomes too large for JSON.

    Examples
    --------
    >>> drift_rows([(0.0,), (2.0,)], shift=3, scale=2)
    [(2.0,), (6.0,)]
    """
    columns = []
    for column in zip(*rows, strict=True):
        mean, deviation = statistics.fmean(column), statistics.pstdev(column) or 1.0
        moved = [mean + shift * deviation + scale * (value - mean) for value in column]
        if not all(map(math.isfinite, moved)):
            raise UnusableRows(
                "The drifted rows contain infinite numbers: use a smaller --drift-shift or --drift-scale."
            )
        columns.append(moved)
    return list(zip(*columns, strict=True))


def _columns(number: int) -> str:
    """Return the number of columns with its noun."""
    return "1 column" if number == 1 else f"{number} columns"
