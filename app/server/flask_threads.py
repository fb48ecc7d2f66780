"""Runs Flask behind an event loop: complete requests in, complete answers out, a few threads in between.

A thread is used only while Flask computes. The loop has received the whole body before, and sends the answer after, so
a slow client never occupies a thread. (a2wsgi's own middleware reads the body in the thread, asgiref's runs all
requests in one thread; docs/decisions/0015-an-event-loop-before-flask.md.)
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from a2wsgi.wsgi import build_environ
from werkzeug.test import run_wsgi_app

from app.server.framing import path_below

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Bodies of at most this many times the largest allowed one are held at once, so that many clients that each send a
# large body cannot exhaust the memory.
_BODIES_AT_ONCE = 8

_PLAIN = [(b"content-type", b"text/plain")]


class FlaskThreads:
    """An ASGI application that runs a WSGI application in threads.

    Parameters
    ----------
    application
        The WSGI application.
    threads
        How many requests it runs at a time.
    prefix
        The path below which a proxy serves the application; usually empty.
    limit_of
        Returns the maximum length of a body for a path. A longer one is not read to its end: the application sees its
        length and no content, and refuses it.
    largest_body
        The largest of these limits.
    """

    def __init__(
        self,
        application: WSGIApplication,
        threads: int,
        prefix: str,
        limit_of: Callable[[str], int],
        largest_body: int,
    ) -> None:
        self._application, self._prefix, self._limit_of = application, prefix, limit_of
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="flask")
        self._max_held_bytes = _BODIES_AT_ONCE * largest_body
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; if the client leaves before its body is complete, answer nothing."""
        path = path_below(self._prefix, scope["path"])
        if path is None:
            await _send(send, 404, _PLAIN, f"The service is below {self._prefix}/.\n".encode())
            return
        body = _Body(self._limit_of(path))
        try:
            if not await self._receive(body, scope, receive):
                return
            if body.is_refused:
                await _send(send, 503, [*_PLAIN, (b"retry-after", b"1")], b"Too many large bodies: try again.\n")
                return
            environ = _environ(scope, self._prefix, body)
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._run, environ)
        finally:
            self._held_bytes -= body.held
        await _send(send, *answer)

    async def _receive(self, body: _Body, scope: Scope, receive: Receive) -> bool:
        """Receive a body up to its limit, and return whether the client is still there."""
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > body.max_bytes and scope["http_version"] != "2":
            body.length = int(declared)
            return True
        # A client of HTTP/2 may read no answer before it was allowed to send everything, so more is read and discarded.
        most = self._max_held_bytes if scope["http_version"] == "2" else body.max_bytes
        more = True
        while more and body.length <= most:
            message = await receive()
            if message["type"] != "http.request":
                return False
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if self._held_bytes + len(chunk) > self._max_held_bytes:
                body.is_refused = True
                return True
            self._held_bytes += body.add(chunk)
        return True

    def _run(self, environ: WSGIEnvironment) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Run the application; this is what a thread does."""
        parts, status, headers = run_wsgi_app(self._application, environ, buffered=True)
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return int(status[:3]), encoded, b"".join(parts)


class _Body:
    """What has arrived of a body."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self.length = self.held = 0
        self.is_refused = False

    def add(self, chunk: bytes) -> int:
        """Add the next bytes, and return how many of them are held; none of a body that is too long."""
        self.length += len(chunk)
        if self.length > self.max_bytes:
            return 0
        self._chunks.append(chunk)
        self.held += len(chunk)
        return len(chunk)

    def content(self) -> bytes:
        """Return the body; nothing of one that is too long."""
        return b"".join(self._chunks) if self.length <= self.max_bytes else b""


def _environ(scope: Scope, prefix: str, body: _Body) -> WSGIEnvironment:
    """Return the environment of a request for WSGI."""
    environ: WSGIEnvironment = build_environ({**scope, "root_path": prefix}, io.BytesIO(body.content()))  # type: ignore[arg-type, typeddict-item, assignment]
    environ["wsgi.errors"] = sys.stderr
    # The loop has removed the chunks, or HTTP/2's frames, so the length is known.
    if environ.pop("HTTP_TRANSFER_ENCODING", None) or body.length or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(body.length)
    return environ


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a complete answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
