"""How long a row is looked for among millions, by the id that a caller gave its request."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.db.engine import open_database, upgrade_database
from app.db.ids import first_id_at
from app.records.lookup import RowName, find_rows

# Rows that are written in one transaction when the database is filled.
_AT_A_TIME = 100_000

_N_LOOKUPS = 2000

_MAX_SECONDS = 30 * 86_400


def measure_lookup(folder: Path, n_rows: int) -> str:
    """Fill a database with rows of a month, each of a request with an id of its caller, and look for some of them.

    Parameters
    ----------
    folder
        Where there is room for 250 bytes a row.
    n_rows
        How many rows there are to be.
    """
    file = folder / "records.db"
    upgrade_database(f"sqlite:///{file}")
    with sqlite3.connect(file) as database:
        started = time.perf_counter()
        for first in range(0, n_rows, _AT_A_TIME):
            rows = _make_rows(first, min(n_rows, first + _AT_A_TIME), n_rows)
            database.executemany("INSERT INTO predictions VALUES (?, 0, ?, ?, 'v1', '', ?, -0.4, 1, 0.9, 1)", rows)
            database.commit()
        filled = time.perf_counter() - started
    database.close()
    engine = open_database(f"sqlite:///{file}")
    choose = random.Random(1)
    took = []
    with engine.connect() as connection:
        for _ in range(_N_LOOKUPS):
            name = RowName(_request_id(choose.randrange(n_rows)), 0)
            started = time.perf_counter()
            assert name in find_rows(connection, [name])
            took.append(1000 * (time.perf_counter() - started))
    engine.dispose()
    p50, p99 = np.percentile(took, [50, 99])
    return (
        f"{n_rows:,} rows, {file.stat().st_size / 1e9:.2f} GB, filled in {filled:.0f} s: a row is found by request id "
        f"in {p50:.2f} ms (median), {p99:.2f} ms (p99), {max(took):.2f} ms (longest of {_N_LOOKUPS})"
    )


def _make_rows(first: int, end: int, n_rows: int) -> Iterator[tuple[str, str, float, bytes]]:
    """Make rows in the order of time, with request ids in no order."""
    features = np.zeros(2, "<f4").tobytes()
    now = time.time()
    for number in range(first, end):
        seconds = now - _MAX_SECONDS * (1 - number / n_rows)
        yield f"{first_id_at(seconds)[:12]}{number:020x}", _request_id(number), seconds, features


def _request_id(number: int) -> str:
    """Make the id of a request: of 32 digits, and far from the one before."""
    return hashlib.blake2b(number.to_bytes(8), digest_size=16).hexdigest()
