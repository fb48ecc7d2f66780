"""API keys for routes that take labels or show recorded answers; without keys, only callers on this host get in."""

from __future__ import annotations

import hmac
import os
import threading
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from wsgiref.types import WSGIEnvironment

from app.errors import CallerNotAllowed, KeysUnavailable, UnknownKey

KEY_HEADER = "X-API-Key"

_KEY_VARIABLE = "HTTP_X_API_KEY"

# A proxy on this host adds one of these headers; the caller behind it may be anywhere.
_PROXY_VARIABLES = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")

_SETTING = "FEEDBACK_API_KEYS_FILE"


class ApiKeys:
    """The keys in a file, one per line; blank lines and lines that start with ``#`` are ignored.

    The file is read again when it changes, so keys can be added and removed without a restart.

    Parameters
    ----------
    file
        The file; empty if there are no keys, in which case only callers on this host are allowed.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file) if file else None
        self._reading = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._keys: tuple[bytes, ...] = ()

    def authorize(self, environ: WSGIEnvironment) -> None:
        """Return if a request is allowed, and raise if it is not.

        Raises
        ------
        UnknownKey
            If it has no key, or a key that is not in the file.
        CallerNotAllowed
            If no file is configured and the request does not come from this host.
        KeysUnavailable
            If the configured file cannot be read or holds no key.
        """
        if self._file is None:
            if not _comes_from_this_host(environ):
                raise CallerNotAllowed(
                    f"Only callers on this host are allowed: name a file with keys in {_SETTING} to allow others, who "
                    f"then send a key as {KEY_HEADER}."
                )
            return
        keys = self._read(self._file)
        given = environ.get(_KEY_VARIABLE, "").encode("latin-1", "replace")
        # All keys are compared in constant time, so that the duration reveals nothing about them.
        matches = [hmac.compare_digest(given, key) for key in keys]
        if not any(matches):
            raise UnknownKey(f"Send one of the keys in {_SETTING} as {KEY_HEADER}.")

    def _read(self, file: Path) -> tuple[bytes, ...]:
        """Return the keys that the file holds now."""
        try:
            with self._reading:
                status = file.stat()
                version = (status.st_mtime_ns, status.st_size, status.st_ino)
                if version != self._version:
                    lines = [line.strip() for line in file.read_bytes().splitlines()]
                    self._keys = tuple(line for line in lines if line and not line.startswith(b"#"))
                    self._version = version
                keys = self._keys
        except OSError as error:
            self._version = None
            reason = os.strerror(error.errno) if error.errno else "it cannot be read"
            raise KeysUnavailable(f"The file in {_SETTING} cannot be read ({reason}): fix it.") from None
        if not keys:
            raise KeysUnavailable(f"The file in {_SETTING} holds no key: write one key per line into it.")
        return keys


def _comes_from_this_host(environ: WSGIEnvironment) -> bool:
    """Return whether a request was sent from this host, and not through a proxy."""
    try:
        address = ip_address(environ.get("REMOTE_ADDR", ""))
    except ValueError:  # a Unix socket has no address
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback and not any(variable in environ for variable in _PROXY_VARIABLES)
