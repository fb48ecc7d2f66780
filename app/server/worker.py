"""Gunicorn's asyncio worker, with this service's connections: an event loop in front of Flask.

The loop reads and parses every request, so a slow client costs a few kilobytes and no thread. Usual predictions and
health checks are answered in the loop; every other request is run by Flask in one of a few threads, once it has arrived
completely (``FlaskThreads``). Deadlines and caps are in ``Connection``.

Shutdown: the connections in the listeners' queues are accepted, the listeners and idle connections are closed, and
requests in progress, including those of the connections just accepted, get ``GRACEFUL_TIMEOUT`` seconds.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from collections import Counter
from contextlib import suppress
from math import inf
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.glogging import Logger
from gunicorn.workers.gasgi import ASGIWorker

from app.server.client_address import TrustedProxies, is_loopback
from app.server.connection import Connection
from app.server.loop_answers import ADDRESS_LIMIT, EVICTED, FastPath
from app.settings import Settings

# A thread that runs Flask gives the interpreter lock back to the loop after this long. With Python's 5 ms, requests
# for figures of pages, five a second, made p99 of predictions 1.5 times longer.
_SWITCH_SECONDS = 0.0005

# Gunicorn's arbiter expects a heartbeat about once a second. Each connection's deadline is checked once in ten ticks:
# of 2,000 slow clients, 200 reach theirs in a second, and closing those at once would delay requests.
_TICK_SECONDS, _TICKS_PER_CHECK = 0.1, 10

# While a worker ends, its last connection should not delay its replacement noticeably.
_DRAIN_TICK_SECONDS = 0.05

# Answers that clients have not read yet are held in memory, per worker, up to here: forty of the largest ones.
_MAX_UNSENT_BYTES = 64 * 1024 * 1024

# Files other than connections that a worker may have open: metrics, records, logs, listeners, a scrape.
_OTHER_FILES = 256


class FrontWorker(ASGIWorker):
    """Serves one Flask application; ``gunicorn.conf.py`` selects it."""

    wsgi: Any
    fast_path: FastPath

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._stopping = asyncio.Event()
        self.settings = Settings.from_environ()
        # Gunicorn's variable for the path below which a proxy serves the application.
        self.prefix = os.environ.get("SCRIPT_NAME", "")
        # In the order in which they were opened.
        self.connections: dict[Connection, None] = {}
        self._proxies = TrustedProxies(self.settings.trusted_proxies)
        self._by_address: Counter[str] = Counter()
        # Those whose clients read slowly, the slowest first.
        self._slow: dict[Connection, None] = {}
        # Portions of the connections, of which each tick checks one.
        self._unchecked: list[list[Connection]] = []
        self.max_connections = self.settings.max_connections
        super().__init__(*arguments, **options)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Accept any number of threads, which here run Flask; Gunicorn's asyncio worker warns that it has none."""

    @property
    def alive(self) -> bool:
        """Whether the worker accepts connections; Gunicorn's code sets it to False to end the worker."""
        return not self._stopping.is_set()

    @alive.setter
    def alive(self, value: bool) -> None:
        if value:
            self._stopping.clear()
        else:
            self._stopping.set()

    def init_signals(self) -> None:
        """Handle signals while the application is loaded; uvloop loses those that arrive before it runs."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda number, frame: self.handle_exit_signal())
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda number, frame: self.handle_quit_signal())
        for number in (signal.SIGUSR1, signal.SIGWINCH):
            signal.signal(number, signal.SIG_IGN)

    def load_wsgi(self) -> None:
        """Load the Flask application, and put the threads that run it behind the loop."""
        # Imported here, because Gunicorn's arbiter, which needs none of it, imports this file.
        from app.server.flask_threads import FlaskThreads

        self.wsgi = self.app.wsgi()
        self.fast_path = self.wsgi.fast_path
        largest_body = max(self.settings.max_body_bytes, self.settings.max_batch_body_bytes)
        self.asgi = FlaskThreads(self.wsgi, self.cfg.threads, self.prefix, self.fast_path.max_body_bytes, largest_body)
        # Gunicorn stores the answer in the class it is asked of, and reads it from its own.
        ASGIProtocol._check_h1c_protocol_available()

    async def _serve(self) -> None:
        """Accept connections and check their deadlines until the worker is told to end."""
        super().init_signals()  # from now on the loop handles them
        sys.setswitchinterval(_SWITCH_SECONDS)
        self.max_connections = _allow_files(self.settings.max_connections)
        ssl_context = self._get_ssl_context()
        handshake_seconds = self.settings.head_timeout if ssl_context else None
        servers = [
            await self.loop.create_server(
                lambda: Connection(self),
                sock=listener.sock,
                # asyncio would set the queue of the arbiter's socket to 100 connections.
                backlog=self.cfg.backlog,
                ssl=ssl_context,
                ssl_handshake_timeout=handshake_seconds,
            )
            for listener in self.sockets
        ]
        while self.alive and self.ppid == os.getppid():
            self._tick()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_SECONDS)
        self.alive = False  # also if the arbiter is gone
        pending = [] if self._quick_shutdown else self._accept_pending()
        for server in servers:
            server.close()
        if not self._quick_shutdown:
            await self._drain(pending, ssl_context, handshake_seconds)

    def _tick(self) -> None:
        """Send the heartbeat, and end the connections that are past a deadline, of those whose turn it is."""
        self.notify()
        if not self._unchecked:
            everyone = list(self.connections)
            # The number of portions is fixed: those who have left must not make others wait for their turn.
            self._unchecked = [everyone[number::_TICKS_PER_CHECK] for number in range(_TICKS_PER_CHECK)]
        now = self.loop.time()
        for connection in self._unchecked.pop():
            if connection in self.connections:  # it may have ended since
                connection.check_deadlines(now)

    def _accept_pending(self) -> list[socket.socket]:
        """Accept the connections that wait in the listeners' queues; nobody else may answer them."""
        pending: list[socket.socket] = []
        for listener in self.sockets:
            listener.sock.setblocking(False)
            with suppress(OSError):  # the queue is empty, or no more files can be opened
                while len(self.connections) + len(pending) < self.max_connections:
                    with suppress(ConnectionAbortedError):  # its client has left
                        pending.append(listener.sock.accept()[0])
        return pending

    async def _drain(self, pending: list[socket.socket], ssl_context: Any, handshake_seconds: float | None) -> None:
        """Close idle connections, wait for requests in progress, and cut what is left at the timeout."""
        deadline = self.loop.time() + self.cfg.graceful_timeout
        for connection in list(self.connections):
            connection.close_if_idle()
        # TLS handshakes take as long as their clients do, so they run side by side.
        accepting = asyncio.gather(
            *(
                self.loop.connect_accepted_socket(
                    lambda: Connection(self), client, ssl=ssl_context, ssl_handshake_timeout=handshake_seconds
                )
                for client in pending
            ),
            return_exceptions=True,  # a client may have left
        )
        # Once in any case: the event loop may not have announced the last accepted connection yet.
        await asyncio.sleep(_DRAIN_TICK_SECONDS)
        while (self.connections or not accepting.done()) and self.loop.time() < deadline and not self._quick_shutdown:
            self._tick()
            await asyncio.sleep(_DRAIN_TICK_SECONDS)
        accepting.cancel()
        with suppress(asyncio.CancelledError):
            await accepting
        for connection in list(self.connections):
            connection.abort()

    def refuses(self, connection: Connection) -> str:
        """Admit a new connection, or return why not; if there are too many, the one that would expire first goes."""
        address = connection.address
        limit = self.settings.max_connections_per_address
        if limit and self._by_address[address] >= limit and not self._is_exempt(address):
            return ADDRESS_LIMIT
        if len(self.connections) >= self.max_connections:
            # The others have no deadline, because they wait for the service.
            waiting = [other for other in self.connections if other.deadline < inf]
            if not waiting:
                return EVICTED
            min(waiting, key=lambda other: other.deadline).evict()
        self.connections[connection] = None
        self._by_address[address] += 1
        return ""

    def limit_unsent(self, connection: Connection) -> None:
        """Remember a connection whose client reads slowly; disconnect the slowest if too much is unsent."""
        self._slow[connection] = None
        self._slow = {other: None for other in self._slow if other.unsent_bytes}
        excess = sum(other.unsent_bytes for other in self._slow) - _MAX_UNSENT_BYTES
        for other in list(self._slow):
            if excess <= 0:
                break
            excess -= other.unsent_bytes
            other.evict()

    def forget(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        self._slow.pop(connection, None)
        if self.connections.pop(connection, self) is None:
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]

    def _is_exempt(self, address: str) -> bool:
        """Return whether an address may open any number of connections: this host's, and those of trusted proxies."""
        return not address or is_loopback(address) or self._proxies.is_trusted(address)


class ErrorsOnlyLogger(Logger):
    """Gunicorn's logger without its access log, which the service's own request log replaces.

    Given a logging configuration, Gunicorn formats an access line for every request, even if no handler writes it,
    which took longer than scoring the row.
    """

    @property
    def access_log_enabled(self) -> bool:
        """Whether Gunicorn collects what an access line needs."""
        return False

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Log nothing."""


def _allow_files(connections: int) -> int:
    """Raise the limit of open files for so many connections, and return how many the limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - _OTHER_FILES))
