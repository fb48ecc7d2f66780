"""Who may send labels and see recorded answers: whoever has a key; without keys, only callers on this host."""

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

# A proxy on this host adds one of these; the caller behind it may be anywhere.
_PROXY_VARIABLES = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")

_SETTING = "FEEDBACK_API_KEYS_FILE"


class ApiKeys:
    """The keys of a file, one a line; blank lines and lines that begin with ``#`` are no keys.

    The file is read again when it has changed, so that keys come and go without a restart.

    Parameters
    ----------
    file
        Where they are; empty if there are none, and only this host is let in.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file) if file else None
        self._reading = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._keys: tuple[bytes, ...] = ()

    def admit(self, environ: WSGIEnvironment) -> None:
        """Let a request pass, or refuse it.

        Raises
        ------
        UnknownKey
            If it has no key, or one that the file does not hold.
        CallerNotAllowed
            If there is no file, and the request does not come from this host itself.
        KeysUnavailable
            If there shall be a file, but it cannot be read or holds no key.
        """
        if self._file is None:
            if not _comes_from_this_host(environ):
                raise CallerNotAllowed(
                    f"Only this host may do this: name a file with keys in {_SETTING} to let others in by {KEY_HEADER}."
                )
            return
        keys = self._read(self._file)
        given = environ.get(_KEY_VARIABLE, "").encode("latin-1", "replace")
        # Every key is compared, whole: how long it takes tells nothing about them.
        matches = [hmac.compare_digest(given, key) for key in keys]
        if not any(matches):
            raise UnknownKey(f"Send one of the keys in {_SETTING} as {KEY_HEADER}.")

    def _read(self, file: Path) -> tuple[bytes, ...]:
        """Give the keys as the file has them now."""
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
            raise KeysUnavailable(f"The file that {_SETTING} names cannot be read ({reason}): mend it.") from None
        if not keys:
            raise KeysUnavailable(f"The file that {_SETTING} names holds no key: write one a line into it.")
        return keys


def _comes_from_this_host(environ: WSGIEnvironment) -> bool:
    """Tell whether a request was sent on this host, and by no proxy."""
    try:
        address = ip_address(environ.get("REMOTE_ADDR", ""))
    except ValueError:  # a socket in a folder has none
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback and not any(variable in environ for variable in _PROXY_VARIABLES)
