"""Parses ``DATABASE_URL``, and shows it without the password."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.errors import InvalidSetting

SQLITE, POSTGRESQL = "sqlite", "postgresql"

_POSTGRESQL_PORT = 5432

# The modes of libpq that guarantee something. `prefer` guarantees nothing, so it is not accepted.
_ENCRYPTION = ("disable", "require", "verify-full")

_EXPECTED = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


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
    >>> DatabaseAddress("mysql://isowatch:secret@db/records")
    Traceback (most recent call last):
    app.errors.InvalidSetting: DATABASE_URL names no database that Isowatch supports: use sqlite:///FILE or
    postgresql://USER:PASSWORD@HOST/DATABASE.
    """

    def __init__(self, text: str) -> None:
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):  # a port that is no number is the latter
            url = None
        # Raised without a cause, which may contain the address with its password.
        if url is None or url.get_backend_name() not in (SQLITE, POSTGRESQL):
            raise InvalidSetting(f"DATABASE_URL names no database that Isowatch supports: {_EXPECTED}.")
        self._url = url
        self.kind = url.get_backend_name()
        if self.kind == SQLITE:
            self._require_a_file()
        else:
            self._require_a_server()

    def __str__(self) -> str:
        """Return the address without the password."""
        if self.kind == SQLITE:
            return str(self.file)
        host = self._url.host or self._query("host")
        port = f":{self._url.port}" if self._url.port else ""
        return f"postgresql://{self._url.username}@{host}{port}/{self._url.database}"

    @property
    def file(self) -> Path:
        """The file of an SQLite database."""
        assert self._url.database  # checked by the constructor
        return Path(self._url.database)

    def identify_file(self) -> tuple[int, int] | None:
        """Return device and inode of an SQLite file; None if it does not exist.

        A process that has the file open would go on writing to it after it was moved away or replaced.
        """
        with suppress(OSError):
            status = self.file.stat()
            return status.st_dev, status.st_ino
        return None

    def connect_arguments(self) -> dict[str, Any]:
        """Return pg8000's arguments for a PostgreSQL server."""
        url = self._url
        arguments: dict[str, Any] = {
            "user": url.username,
            "password": url.password if url.password is not None else os.environ.get("PGPASSWORD"),
            "database": url.database,
            "application_name": "isowatch",
        }
        port = url.port or _POSTGRESQL_PORT
        if url.host:
            arguments |= {"host": url.host, "port": port, "ssl_context": self._make_encryption()}
        else:
            arguments["unix_sock"] = f"{self._query('host')}/.s.PGSQL.{port}"
        return arguments

    def _make_encryption(self) -> ssl.SSLContext | bool | None:
        """Return how to encrypt the connection: None lets the server choose, False is unencrypted."""
        mode = self._query("sslmode")
        if mode == "verify-full":
            return ssl.create_default_context()
        return {"disable": False, "require": True}.get(mode)

    def _query(self, name: str) -> str:
        """Return a parameter of the query string; empty if it is missing."""
        value = self._url.query.get(name, "")
        return value if isinstance(value, str) else value[-1]

    def _require_a_file(self) -> None:
        """Refuse a database in memory: each process would have its own."""
        if self._url.database in (None, "", ":memory:") or self._url.query:
            raise InvalidSetting("DATABASE_URL names no file: use sqlite:///FILE without a query string.")

    def _require_a_server(self) -> None:
        """Refuse an address that is incomplete, or has parameters that would be ignored."""
        url = self._url
        if unknown := sorted(set(url.query) - {"host", "sslmode"}):
            raise InvalidSetting(
                f"DATABASE_URL has the unknown parameter {unknown[0]}: only host and sslmode are supported."
            )
        if not url.username or not url.database or not (url.host or self._query("host").startswith("/")):
            raise InvalidSetting(f"DATABASE_URL lacks the user, the host or the database: {_EXPECTED}.")
        if self._query("sslmode") not in ("", *_ENCRYPTION):
            raise InvalidSetting(f"DATABASE_URL has an unknown sslmode: use {', '.join(_ENCRYPTION)}, or omit it.")
