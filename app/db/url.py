"""Parses ``DATABASE_URL``, and shows it without the password."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from app.errors import InvalidSetting

if TYPE_CHECKING:
    import ssl

SQLITE, POSTGRESQL = "sqlite", "postgresql"

# Hosting platforms write `postgres://`. A driver (`postgresql+pg8000://`) may be named, but is not chosen by it.
_KINDS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL}

_FILE = re.compile(r"([\w+]+):///(.+)", re.DOTALL)

# A password may contain anything, as only the last `@` is followed by the host.
_SERVER = re.compile(
    r"[\w+]+://(?:(?P<user>[^:/]*)(?::(?P<password>.*))?@)?(?:\[(?P<ipv6>[^/?@]+)\]|(?P<host>[^/:?@]*))"
    r"(?::(?P<port>[^/?@]*))?(?:/(?P<database>[^?@]*))?(?:\?(?P<query>[^@]*))?",
    re.DOTALL,
)

_MAX_PORT = 65_535

_POSTGRESQL_PORT = 5432

# The modes of libpq that guarantee something. `prefer` guarantees nothing, so it is not accepted.
_ENCRYPTION = ("disable", "require", "verify-full")

_EXPECTED = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


_FileId = tuple[int, int] | None
SQLiteFiles = tuple[_FileId, _FileId, _FileId]


def _identify(file: Path) -> _FileId:
    """Return device and inode of a file; None if it does not exist."""
    with suppress(OSError):
        status = file.stat()
        return status.st_dev, status.st_ino
    return None


class DatabaseAddress:
    """The address of a database.

    Parameters
    ----------
    text
        ``sqlite:///file``, ``sqlite:////absolute/file`` or ``postgresql://user:password@host:port/database``, in which
        ``%`` starts an encoded character. The latter may end with ``?host=/run/postgresql``, the folder of a socket,
        and ``?sslmode=``: ``disable``, ``require`` or ``verify-full``. Without a password, that of the variable
        ``PGPASSWORD`` is used.

    Raises
    ------
    InvalidSetting
        If it is neither.

    Examples
    --------
    >>> str(DatabaseAddress("postgresql://isowatch:secret@db/records"))
    'postgresql://isowatch@db/records'
    >>> str(DatabaseAddress("postgres://isowatch:p@ss/w?rd@db/records"))
    'postgresql://isowatch@db/records'
    >>> DatabaseAddress("mysql://isowatch:secret@db/records")
    Traceback (most recent call last):
    app.errors.InvalidSetting: DATABASE_URL names no database that Isowatch supports: use sqlite:///FILE or
    postgresql://USER:PASSWORD@HOST/DATABASE.
    """

    def __init__(self, text: str) -> None:
        kind = _KINDS.get(text.partition("://")[0].lower().partition("+")[0]) if "://" in text else None
        # No message contains the address: it may have a password.
        if kind is None:
            raise InvalidSetting(f"DATABASE_URL names no database that Isowatch supports: {_EXPECTED}.")
        self.kind = kind
        self._query: dict[str, str] = {}
        if kind == SQLITE:
            self._file = self._parse_file(text)
        else:
            self._parse_server(text)

    def __str__(self) -> str:
        """Return the address without the password."""
        if self.kind == SQLITE:
            return str(self.file)
        host = f"[{self._host}]" if ":" in self._host else self._host or self._query["host"]
        port = f":{self._port}" if self._port else ""
        return f"postgresql://{self._user}@{host}{port}/{self._database}"

    @property
    def file(self) -> Path:
        """The file of an SQLite database."""
        return self._file

    def identify_file(self) -> _FileId:
        """Return device and inode of an SQLite file; None if it does not exist.

        A process that has the file open would go on writing to it after it was moved away or replaced.
        """
        return _identify(self.file)

    def identify_files(self) -> SQLiteFiles:
        """Return the same for an SQLite file, its write-ahead log and the index of the log, ``-shm``."""
        return _identify(self.file), _identify(Path(f"{self.file}-wal")), _identify(Path(f"{self.file}-shm"))

    def connect_arguments(self) -> dict[str, Any]:
        """Return pg8000's arguments for a PostgreSQL server."""
        arguments: dict[str, Any] = {
            "user": self._user,
            "password": self._password if self._password is not None else os.environ.get("PGPASSWORD"),
            "database": self._database,
            "application_name": "isowatch",
        }
        port = self._port or _POSTGRESQL_PORT
        if self._host:
            arguments |= {"host": self._host, "port": port, "ssl_context": self._make_encryption()}
        else:
            arguments["unix_sock"] = f"{self._query['host']}/.s.PGSQL.{port}"
        return arguments

    def _make_encryption(self) -> ssl.SSLContext | bool | None:
        """Return how to encrypt the connection: None lets the server choose, False is unencrypted."""
        mode = self._query.get("sslmode", "")
        if mode == "verify-full":
            # Imported late: the arbiter, which only checks the address, needs no cryptography.
            import ssl

            return ssl.create_default_context()
        return {"disable": False, "require": True}.get(mode)

    def _parse_file(self, text: str) -> Path:
        """Return the file; a database in memory is refused, because each process would have its own."""
        match = _FILE.fullmatch(text)
        if match is None or match[2] == ":memory:" or "?" in match[2]:
            raise InvalidSetting("DATABASE_URL names no file: use sqlite:///FILE without a query string.")
        return Path(unquote(match[2]))

    def _parse_server(self, text: str) -> None:
        """Parse an address; one that is incomplete, or has parameters that would be ignored, is refused."""
        match = _SERVER.fullmatch(text)
        if match is None:
            raise InvalidSetting(f"DATABASE_URL cannot be parsed: {_EXPECTED}, with %40 for @ and %2F for / in names.")
        given = {name: value or "" for name, value in match.groupdict().items()}
        self._user, self._host = unquote(given["user"]), given["ipv6"] or given["host"]
        self._password = None if match["password"] is None else unquote(match["password"])
        self._database = unquote(given["database"])
        self._query = {name: values[-1] for name, values in parse_qs(given["query"], keep_blank_values=True).items()}
        if unknown := sorted(set(self._query) - {"host", "sslmode"}):
            raise InvalidSetting(
                f"DATABASE_URL has the unknown parameter {unknown[0]}: only host and sslmode are supported."
            )
        if not self._user or not self._database or not (self._host or self._query.get("host", "").startswith("/")):
            raise InvalidSetting(f"DATABASE_URL lacks the user, the host or the database: {_EXPECTED}.")
        if self._query.get("sslmode", "") not in ("", *_ENCRYPTION):
            raise InvalidSetting(f"DATABASE_URL has an unknown sslmode: use {', '.join(_ENCRYPTION)}, or omit it.")
        port = given["port"]
        if port and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) <= _MAX_PORT):
            raise InvalidSetting(f"DATABASE_URL has a port that is no number from 1 to {_MAX_PORT}.")
        self._port = int(port) if port else None
