"""A real PostgreSQL server for the tests of records, and a fresh database in it for each test."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, delete, text

from app.db.engine import open_database, upgrade_database
from app.db.tables import METADATA
from tests.records.running_writer import Read, RunningWriter, Start

# Where the packages of most distributions put the server's programs, which are not in PATH.
_PROGRAMS = tuple(Path("/usr/lib/postgresql").glob("*/bin"))

# A first start writes some hundred files; more would mean that it never starts.
_START_SECONDS = 60.0

# The server lets everybody of this machine in; a test can look whether the password is shown anywhere.
_USER, _PASSWORD = "isowatch", "never-shown"


class PostgreSQLServer:
    """A server on a free port of this machine, whose data need not survive a crash.

    Parameters
    ----------
    programs
        The folder with ``initdb`` and ``postgres``.
    folder
        Empty; for its data.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        # PostgreSQL refuses to run as root.
        self._owner = _unprivileged_user() if os.geteuid() == 0 else None
        if self._owner:
            shutil.chown(folder, self._owner)
        self._process: subprocess.Popen[bytes] | None = None
        self._n_databases = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._run("initdb", "--username", _USER, "--auth", "trust", "--encoding", "UTF8", "--no-sync", "-D", "data")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            # What these keep, only a crash of the machine would lose.
            "fsync": "off",
            "full_page_writes": "off",
            # Tests leave nothing behind that is worth cleaning.
            "autovacuum": "off",
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    *("-D", "data"),
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                cwd=self._folder,
                user=self._owner,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server, which ends every connection."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # a fast shutdown: it waits for nobody
            self._process.wait()
            self._process = None

    def make_database(self) -> str:
        """Create an empty database, and return its address."""
        self._n_databases += 1
        name = f"records{self._n_databases}"
        self._run("createdb", "--host=127.0.0.1", f"--port={self.port}", f"--username={_USER}", name)
        return f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        """Return whether the server accepts connections."""
        asked = [str(self._programs / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(asked, cwd=self._folder).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs to its end."""
        subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            user=self._owner,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A running server; tests are skipped without its programs, but fail in CI, which has them."""
    programs = sorted(folder for folder in _PROGRAMS if (folder / "postgres").exists())
    if not programs:
        reason = "PostgreSQL is not installed on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and .ci/run should have installed it", pytrace=False)
        pytest.skip(reason)
    # Not below pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="isowatch-postgresql-") as folder:
        server = PostgreSQLServer(programs[-1], Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def bare_database(postgresql_server: PostgreSQLServer) -> Iterator[tuple[str, Engine]]:
    """A database that all tests share and empty, as creating one takes as long as a test: its address and an engine."""
    address = postgresql_server.make_database()
    yield from _with_a_way_to(address)


@pytest.fixture(scope="session")
def made_database(postgresql_server: PostgreSQLServer) -> Iterator[tuple[str, Engine]]:
    """A database whose tables are created once and emptied for every test."""
    address = postgresql_server.make_database()
    upgrade_database(address)
    yield from _with_a_way_to(address)


@pytest.fixture
def postgresql(bare_database: tuple[str, Engine]) -> str:
    """The address of an empty database."""
    address, engine = bare_database
    with _alone(engine) as connection:
        for schema in connection.scalars(
            text("SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'")
        ).all():
            connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
        connection.execute(text("CREATE SCHEMA public"))
    return address


def _with_a_way_to(address: str) -> Iterator[tuple[str, Engine]]:
    """Create the tables, and return the address and an engine that outlives the tests."""
    driver = address.replace("postgresql:", "postgresql+pg8000:")
    engine = create_engine(driver, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    yield address, engine
    engine.dispose()


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Connect, and end all other connections: one that an earlier test left would lock the tables."""
    with engine.connect() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))
        yield connection


def _unprivileged_user() -> str:
    """Return a user for the server: its own, if the package created one."""
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The address of a file in a folder, neither of which exists."""
    return f"sqlite:///{tmp_path}/a folder %25/records.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_address(request: pytest.FixtureRequest) -> str:
    """The address of a database without tables, of each kind in turn."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest) -> str:
    """The address of a database with empty tables, of each kind in turn."""
    if request.param == "sqlite":
        named: str = request.getfixturevalue("sqlite")
        upgrade_database(named)
        return named
    named, engine = request.getfixturevalue("made_database")
    with _alone(engine) as connection:
        for table in METADATA.sorted_tables:
            connection.execute(delete(table))
    return named


@pytest.fixture
def opened() -> Iterator[Callable[[str], Engine]]:
    """Open databases with tables, and close them after the test."""
    engines: list[Engine] = []

    def open_one(address: str) -> Engine:
        engines.append(open_database(address))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.dispose()


@pytest.fixture
def start_writer(tmp_path: Path) -> Iterator[Start]:
    """Start writers, and stop them after the test."""
    running: list[RunningWriter] = []

    def start_one(address: str, **settings: Any) -> RunningWriter:
        running.append(RunningWriter(address, tmp_path, **settings))
        return running[-1]

    yield start_one
    for recorder in running:
        recorder.writer.finish()


@pytest.fixture
def read(opened: Callable[[str], Engine]) -> Read:
    """Run a query in a database."""
    engines: dict[str, Engine] = {}

    def read_one(address: str, statement):
        if address not in engines:
            engines[address] = opened(address)
        with engines[address].connect() as connection:
            return connection.execute(statement).mappings().all()

    return read_one
