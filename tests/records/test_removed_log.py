"""If somebody removes the log of an SQLite file in use, its rows are saved, or their loss is counted."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.db.engine import open_database, upgrade_database
from app.db.tables import PREDICTIONS
from tests.records.running_writer import Start, file_of, wait_until


@pytest.mark.parametrize("removed", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_a_log_that_is_removed_loses_nothing(
    removed: tuple[str, ...], sqlite: str, start_writer: Start, caplog: pytest.LogCaptureFixture
):
    """Rows before and after are in the file, also those that only the log held; the removal is reported."""
    upgrade_database(sqlite)
    reader = open_database(sqlite)  # as a worker that answers questions about records
    recorder = start_writer(sqlite)
    recorder.take(300)
    wait_until(lambda: recorder.recorded == 300)
    with reader.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(PREDICTIONS)) == 300
    for suffix in removed:
        Path(f"{file_of(sqlite)}{suffix}").unlink()
    recorder.take(195)
    wait_until(lambda: recorder.recorded == 495)

    with reader.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(PREDICTIONS)) == 495
    with closing(sqlite3.connect(file_of(sqlite))) as another:
        assert another.execute(
            "SELECT count(*), (SELECT sum(n_rows) FROM hourly_counts) FROM predictions"
        ).fetchone() == (
            495,
            495,
        )
        assert another.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reader.dispose()
    assert "was removed or replaced while the database was in use: what the log held is saved" in caplog.text
    assert recorder.metric("records_given_up_rows_total") == 0


def test_lost_rows_are_counted(sqlite: str, start_writer: Start, monkeypatch: pytest.MonkeyPatch, caplog):
    """If a removed log cannot be saved, the next commit finds out; the count raises the alert RecordsNotWritten."""
    monkeypatch.setattr("app.db.engine._save_removed_log", lambda connection, address: None)
    recorder = start_writer(sqlite)
    wait_until(recorder.is_up)
    # As long as another program has the file open, closing a connection saves nothing.
    reading = f"import sqlite3; c = sqlite3.connect({str(file_of(sqlite))!r}); c.execute('SELECT * FROM writers')"
    code = f"{reading}.fetchall(); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as another:
        assert another.stdout.readline() == b"open\n"
        recorder.take(300)
        wait_until(lambda: recorder.recorded == 300)
        for suffix in ("-wal", "-shm"):
            Path(f"{file_of(sqlite)}{suffix}").unlink()
        recorder.take(10)
        wait_until(lambda: recorder.recorded == 310)
        another.stdin.close()

    assert recorder.metric("records_given_up_rows_total") == 300
    assert "up to 300 rows that were recorded are not in the database any more" in caplog.text
