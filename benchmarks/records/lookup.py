"""Measure how long finding a row among millions takes, by the request id that its caller chose."""

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

# Rows per transaction when the database is filled.
_AT_A_TIME = 100_000

_N_LOOKUPS = 2000

_MAX_SECONDS = 30 * 86_400


def measure_lookup(folder: Path, n_rows: int) -> str:
    """Fill a database with rows of a month, each with a request id of its caller, and look some of them up.

    Parameters
    ----------
    folder
        Folder with room for 250 bytes per row.
    n_rows
        Number of rows.
    """
    file = folder / "records.db"
    upgrade_database(f"sqlite:///{file}")
    with sqlite3.connect(file) as database:
        started = time.perf_counter()
        for first in range(0, n_rows, _AT_A_TIME):
            rows = _make_rows(first, min(n_rows, first + _AT_A_TIME), n_rows)
            database.executemany(
                "INSERT INTO predictions VALUES (?, 0, ?, ?, 'v1', '', ?, -0.4, 1, 0.9, 1, NULL, NULL)", rows
            )
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
    """Generate rows in order of time, with random request ids."""
    features = np.zeros(2, "<f4").tobytes()
    now = time.time()
    for number in range(first, end):
        seconds = now - _MAX_SECONDS * (1 - number / n_rows)
        yield f"{first_id_at(seconds)[:12]}{number:020x}", _request_id(number), seconds, features


def _request_id(number: int) -> str:
    """Return the request id of a row: 32 digits, far from the previous one."""
    return hashlib.blake2b(number.to_bytes(8), digest_size=16).hexdigest()
