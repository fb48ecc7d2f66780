"""What the simulated users send: the rows of a CSV file, each user in an order of its own.

Nothing here imports Locust, so that all of it can be tested without starting a load.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Row = tuple[float, ...]


class UnusableRows(Exception):
    """A file of rows that cannot be sent; the message names file, line and column and says what to do."""


def read_rows(path: Path) -> list[Row]:
    """Read the rows that the users send.

    Parameters
    ----------
    path
        A CSV file with a header and one or more columns of finite numbers. Blank lines are skipped.

    Returns
    -------
    The rows in the file's order, at least one, each as long as the header.

    Raises
    ------
    UnusableRows
        If the file is missing, unreadable, empty, ragged, has no header, or holds a cell that is not a
        finite number.
    """
    try:
        # "-sig" because spreadsheets begin the file with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse_rows(path, file)
    except FileNotFoundError:
        raise UnusableRows(
            f"{path} does not exist: make it with `make data`, or name another file with --rows FILE."
        ) from None
    except OSError as error:
        raise UnusableRows(f"{path} cannot be read ({error.strerror}): name another file with --rows FILE.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableRows(f"{path} is not a CSV file in UTF-8 ({error}): save it as one.") from error


def _parse_rows(path: Path, lines: Iterable[str]) -> list[Row]:
    """Turn the lines of a CSV file into rows; ``path`` is only named in errors."""
    reader = csv.reader(lines)
    header = next(reader, [])
    if not header:
        raise UnusableRows(f"{path} does not begin with a header: add one line that names the columns.")
    if all(_finite_number(cell) is not None for cell in header):
        raise UnusableRows(f"{path} begins with numbers: add a header, one line that names the columns.")
    rows = [_parse_row(path, reader.line_num, header, cells) for cells in reader if cells]
    if not rows:
        raise UnusableRows(f"{path} has a header and no rows: add at least one row of numbers.")
    return rows


def _parse_row(path: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    """Turn the cells of one line into numbers, or say which cell is wrong."""
    if len(cells) != len(header):
        raise UnusableRows(
            f"{path}, line {line}: the number of cells is {len(cells)} and the header's is {len(header)}; "
            "give the line one number a column."
        )
    numbers = []
    for column, cell in zip(header, cells, strict=True):
        number = _finite_number(cell)
        if number is None:
            raise UnusableRows(
                f"{path}, line {line}, column {column}: {cell!r} is not a finite number; "
                "correct it, or leave the line out."
            )
        numbers.append(number)
    return tuple(numbers)


def _finite_number(cell: str) -> float | None:
    """Return the number in a cell, or None where there is none that strict JSON can carry."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def user_random(seed: int, worker: int, user: int) -> random.Random:
    """Make the generator that one simulated user draws everything from.

    Parameters
    ----------
    seed
        The seed of the whole run.
    worker
        Index of the Locust process: without it the processes of a distributed run would all send the same.
    user
        Running number of the user within its process, from 0.

    Returns
    -------
    A generator that gives the same numbers in every run and on every machine.

    Examples
    --------
    >>> user_random(7, 0, 0).random() == user_random(7, 0, 0).random()
    True
    >>> user_random(7, 0, 0).random() == user_random(7, 0, 1).random()
    False
    """
    # Python hashes the whole text; a sum of the three would give some users the same order.
    return random.Random(f"{seed}/{worker}/{user}")


def walk(rows: Sequence[Row], generator: random.Random) -> Iterator[Row]:
    """Walk through all rows in a random order, and through the same order again at its end.

    Parameters
    ----------
    rows
        At least one row.
    generator
        Decides the order; drawn from at the first step only.

    Returns
    -------
    An endless iterator. No row comes a second time before every other row has come.

    Examples
    --------
    >>> steps = walk([(1.0,), (2.0,)], random.Random(7))
    >>> first, second, third = next(steps), next(steps), next(steps)
    >>> sorted([first, second]), first == third
    ([(1.0,), (2.0,)], True)
    """
    order = generator.sample(rows, len(rows))
    while True:
        yield from order


def prediction_request(row: Row, ask_score: bool) -> dict[str, Any]:
    """Build the body of ``POST /prediction``.

    Parameters
    ----------
    row
        The numbers to label, in the order of the model's features.
    ask_score
        Whether the answer has to carry the anomaly score.

    Returns
    -------
    What is sent, before it is written as JSON.

    Examples
    --------
    >>> prediction_request((0.56, 0.23), ask_score=True)
    {'feature_vector': [0.56, 0.23], 'score': True}
    """
    return {"feature_vector": list(row), "score": ask_score}


def predictions_request(rows: Sequence[Row], ask_score: bool) -> dict[str, Any]:
    """Build the body of ``POST /predictions``, as ``prediction_request`` does for one row."""
    return {"feature_vectors": [list(row) for row in rows], "score": ask_score}


def inference_request(rows: Sequence[Row]) -> dict[str, Any]:
    """Build the body of ``POST /v2/models/<name>/infer``.

    Parameters
    ----------
    rows
        At least one row.

    Returns
    -------
    One tensor of shape ``[rows, features]``, its numbers row after row.

    Examples
    --------
    >>> inference_request([(1.0, 2.0), (3.0, 4.0)])["inputs"][0]["data"]
    [1.0, 2.0, 3.0, 4.0]
    """
    numbers = [number for row in rows for number in row]
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": "rows", "shape": shape, "datatype": "FP64", "data": numbers}]}


def batch_size(generator: random.Random, largest: int) -> int:
    """Draw how many rows a batch holds.

    Parameters
    ----------
    generator
        Decides.
    largest
        Most rows.

    Returns
    -------
    In [1, largest], the logarithm uniform: batches of 1 to 10 rows are as frequent as those of 100 to 1,000.

    Examples
    --------
    >>> sizes = [batch_size(random.Random(seed), 1_000) for seed in range(100)]
    >>> 1 <= min(sizes) < 10, 500 < max(sizes) <= 1_000
    (True, True)
    """
    return min(largest, int((largest + 1) ** generator.random()))
