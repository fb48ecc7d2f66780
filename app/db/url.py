"""``DATABASE_URL``: which database it names, and how that is said without its password."""

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

# What libpq calls these, and we can keep: `prefer` is no promise, so that nobody relies on it.
_ENCRYPTION = ("disable", "require", "verify-full")

_EXPECTED = "give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


class DatabaseAddress:
    """The address of a database.

    Parameters
    ----------
    text
        ``sqlite:///file``, ``sqlite:////absolute/file`` or ``postgresql://user:password@host:port/database``, in which
        ``%`` begins an encoded character. Behind the latter, ``?host=/run/postgresql`` names the folder of a socket and
        ``?sslmode=`` is one of ``disable``, ``require`` and ``verify-full``. Without a password, that of the variable
        ``PGPASSWORD`` is taken.

    Raises
    ------
    InvalidSetting
        If it is none of these.

    Examples
    --------
    >>> str(DatabaseAddress("postgresql://isowatch:secret@db/records"))
    'postgresql://isowatch@db/records'
    >>> DatabaseAddress("mysql://isowatch:secret@db/records")
    Traceback (most recent call last):
    app.errors.InvalidSetting: DATABASE_URL names no database that Isowatch knows: give sqlite:///FILE or
    postgresql://USER:PASSWORD@HOST/DATABASE.
    """

    def __init__(self, text: str) -> None:
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):  # a port that is no number is the latter
            url = None
        # No cause is shown, as it may hold the address with its password.
        if url is None or url.get_backend_name() not in (SQLITE, POSTGRESQL):
            raise InvalidSetting(f"DATABASE_URL names no database that Isowatch knows: {_EXPECTED}.")
        self._url = url
        self.kind = url.get_backend_name()
        if self.kind == SQLITE:
            self._require_a_file()
        else:
            self._require_a_server()

    def __str__(self) -> str:
        """Name the database for people, without the password."""
        if self.kind == SQLITE:
            return str(self.file)
        host = self._url.host or self._query("host")
        port = f":{self._url.port}" if self._url.port else ""
        return f"postgresql://{self._url.username}@{host}{port}/{self._url.database}"

    @property
    def file(self) -> Path:
        """The file of an SQLite database."""
        assert self._url.database  # the constructor has seen to it
        return Path(self._url.database)

    def identify_file(self) -> tuple[int, int] | None:
        """Tell an SQLite file from another one of the same name; None if there is none.

        Whoever has a file open goes on in it after it was moved away or replaced, where nobody will find it.
        """
        with suppress(OSError):
            status = self.file.stat()
            return status.st_dev, status.st_ino
        return None

    def connect_arguments(self) -> dict[str, Any]:
        """Give what pg8000 wants to know of a PostgreSQL server."""
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
        """Say how the connection is encrypted; None lets the server choose, False is not at all."""
        mode = self._query("sslmode")
        if mode == "verify-full":
            return ssl.create_default_context()
        return {"disable": False, "require": True}.get(mode)

    def _query(self, name: str) -> str:
        """Give what stands behind the question mark under a name; empty if nothing does."""
        value = self._url.query.get(name, "")
        return value if isinstance(value, str) else value[-1]

    def _require_a_file(self) -> None:
        """Refuse a database in memory, of which each process would have its own."""
        if self._url.database in (None, "", ":memory:") or self._url.query:
            raise InvalidSetting("DATABASE_URL names no file: give sqlite:///FILE, and nothing behind it.")

    def _require_a_server(self) -> None:
        """Refuse an address that says too little, or something that we would not heed."""
        url = self._url
        if unknown := sorted(set(url.query) - {"host", "sslmode"}):
            raise InvalidSetting(
                f"DATABASE_URL has {unknown[0]} behind its `?`: only host and sslmode are known there."
            )
        if not url.username or not url.database or not (url.host or self._query("host").startswith("/")):
            raise InvalidSetting(f"DATABASE_URL leaves out the user, the host or the database: {_EXPECTED}.")
        if self._query("sslmode") not in ("", *_ENCRYPTION):
            raise InvalidSetting(f"DATABASE_URL has an unknown sslmode: give {', '.join(_ENCRYPTION)}, or none.")
