"""A process with read-only access can read an SQLite file while it is written, when it is closed, and after a crash."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.engine import upgrade_database

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")

ROOT = Path(__file__).resolve().parents[2]

# Counts segments for each line that comes; on `slowly`, it stays in the transaction until a further line has come.
READER = """
import sys
from os import setuid
import sqlalchemy.dialects.sqlite
from app.db.engine import open_database
from app.db.url import DatabaseAddress
from app.db.errors import refusing_in_words
setuid(65534)
engine = open_database(sys.argv[1])
for line in sys.stdin:
    try:
        with refusing_in_words(DatabaseAddress(sys.argv[1])), engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM segments").scalar()
            if line == "slowly\\n":
                print("reading", flush=True)
                sys.stdin.readline()
    except Exception as error:
        found = error
    print(found, flush=True)
"""

ADDING = "INSERT INTO segments (name, first_seen_at) VALUES ('{}', 0)"


class Reader:
    """A process of a user who may not write to the folder."""

    def __init__(self, address: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", READER, address],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, how: str = "") -> str:
        """Count the rows, and return the result."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{how}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> str:
        """Stop the process; return its errors."""
        return self._process.communicate(timeout=60)[1]


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a file that no process has open."""
    # Not below pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        address = f"sqlite:///{folder}/records.db"
        upgrade_database(address)
        assert [path.name for path in Path(folder).iterdir()] == ["records.db"]
        yield address


@pytest.fixture
def reader(address: str) -> Iterator[Reader]:
    """A reader without write access, which must end without errors."""
    process = Reader(address)
    yield process
    assert process.end() == ""


@pytest.fixture
def writer(address: str) -> Iterator[sqlite3.Connection]:
    """A connection with write access, which starts to write when the test tells it to."""
    connection = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
    yield connection
    connection.close()


def test_file_that_nobody_writes_is_read(reader: Reader):
    """Any number of times."""
    assert [reader.ask() for _ in range(3)] == ["0"] * 3


def test_reader_sees_what_others_write(reader: Reader, writer: sqlite3.Connection):
    """From transaction to transaction, while writers come and go."""
    assert reader.ask() == "0"
    writer.execute(ADDING.format("private"))
    assert reader.ask() == "1"
    writer.execute(ADDING.format("business"))
    assert reader.ask() == "2"
    writer.close()
    assert reader.ask() == "2"


def test_change_during_a_read_is_an_error(reader: Reader, writer: sqlite3.Connection):
    """In words, and once: what was read may be inconsistent."""
    assert reader.ask("slowly") == "reading"
    writer.execute(ADDING.format("private"))

    assert reader.ask().endswith("records.db cannot be used (it was opened for writing while it was read): try again.")

    assert reader.ask() == "1"


def test_short_write_during_a_read_is_detected(reader: Reader, writer: sqlite3.Connection):
    """Although it has left no file beside the database."""
    assert reader.ask("slowly") == "reading"
    writer.execute(ADDING.format("private"))
    writer.close()

    assert reader.ask().endswith("try again.")


def test_file_is_read_after_its_writer_was_killed(reader: Reader, address: str):
    """With everything that was committed."""
    dying = f"""
import os, sqlite3
writer = sqlite3.connect({address.removeprefix("sqlite:///")!r}, isolation_level=None)
writer.execute({ADDING.format("private")!r})
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", dying], check=True)

    assert reader.ask() == "1"
