"""A recorder's writer without a process, and the database that it writes to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import Table, create_engine, func, select, text

from app.db.ids import make_record_id
from app.db.url import DatabaseAddress
from app.metrics.alarms import AlarmMetrics
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import REASONS, FeedbackMetrics, RecordsMetrics
from app.recorder.protocol import PublishedRows
from app.recorder.records import start_writer as start_record_writer
from app.recorder.writer import RecordWriter
from app.settings import Settings
from tests.recorder.made_rows import make_scored

WAIT_SECONDS = 30


class RunningWriter:
    """A recorder's writer without a process, and the database that it writes to."""

    def __init__(
        self, address: str, folder: Path, name: str = "one", drained_until: float = float("inf"), **settings: str
    ) -> None:
        self.address, self.registry = address, CollectorRegistry()
        self.labels = FeedbackMetrics(self.registry)
        self.writer: RecordWriter = start_record_writer(
            Settings.from_environ({"DATABASE_URL": address, "MODEL_DIR": str(folder)} | settings),
            folder / name,
            lambda: min(drained_until, time.time()),
            RecorderMetrics(self.registry, ["mmd"], {"cvm": True}),
            RecordsMetrics(self.registry, REASONS, is_enabled=True),
            self.labels,
            AlarmMetrics(self.registry),
        )

    def take(self, n_requests: int, n_rows: int = 1, **fields: str) -> float:
        """Take rows, and return how long the slowest took."""
        slowest = 0.0
        for number in range(n_requests):
            record_id = make_record_id()
            scored = make_scored(n_rows, seed=number)
            given: Any = {"request_id": record_id, "version": "v1", "record_id": record_id} | fields
            published = PublishedRows(time.time(), first_row=0, scored=scored, **given)
            begun = time.perf_counter()
            self.writer.take(published)
            slowest = max(slowest, time.perf_counter() - begun)
        return slowest

    def metric(self, name: str, **labels: str) -> float:
        """Read a metric."""
        return self.registry.get_sample_value(name, labels)

    @property
    def recorded(self) -> float:
        """The number of rows that are recorded."""
        return self.metric("recorder_rows_total", result="recorded")

    def failures(self, reason: str) -> float:
        """Return how many attempts failed for a reason."""
        return self.metric("records_write_failures_total", reason=reason)

    def is_up(self) -> bool:
        """Whether the last use of the database succeeded."""
        return self.metric("records_up") == 1


Start = Callable[..., RunningWriter]
Read = Callable[..., Any]


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def count_lines(read: Read, address: str, table: Table) -> int:
    """Count the rows of a table."""
    n_lines: int = read(address, select(func.count().label("n")).select_from(table))[0]["n"]
    return n_lines


def file_of(address: str) -> Path:
    """Return the file of an SQLite address."""
    return DatabaseAddress(address).file


@contextmanager
def changing(address: str) -> Iterator[Callable[[str], None]]:
    """Change a database without the writer's knowledge."""
    engine = create_engine(address.replace("postgresql:", "postgresql+pg8000:"))

    def change(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    yield change
    engine.dispose()
