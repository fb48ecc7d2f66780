"""Where a request ends: stricter than Gunicorn's parsers, and the form of the last answer on a connection."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from gunicorn.asgi.parser import InvalidHeader, UnsupportedTransferCoding

from app.server.loop_answers import Answer


def check_framing(request: Any) -> None:
    """Refuse what another server in front of this one could understand differently.

    Raises
    ------
    UnsupportedTransferCoding, InvalidHeader
        If there is a transfer coding besides ``chunked``, or no ``Host`` in HTTP/1.1.
    """
    has_host = request.version < (1, 1)
    for name, value in request.headers_bytes:
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise UnsupportedTransferCoding("The only transfer coding that is understood is chunked.")
        has_host = has_host or name == b"host"
    if not has_host:
        raise InvalidHeader("A request of HTTP/1.1 needs a Host header.")


def path_below(prefix: str, path: str) -> str | None:
    """Return a path without the prefix of the service, or None if it does not start with it.

    Examples
    --------
    >>> path_below("/scores", "/scores/healthz"), path_below("/scores", "/scoresheet"), path_below("", "/healthz")
    ('/healthz', None, '/healthz')
    """
    if not prefix:
        return path
    if path == prefix or path.startswith(f"{prefix}/"):
        return path[len(prefix) :]
    return None


def serialize_last(answer: Answer) -> bytes:
    """Return the bytes of an answer after which the connection is closed."""
    head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n".encode()]
    head += [b"%s: %s\r\n" % header for header in answer.headers]
    return b"".join([*head, b"Connection: close\r\n\r\n", answer.body])
