"""A connection that has ended is freed at once; what connections do is tested with real sockets in tests/system."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import struct
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.config import Config

from app.server.connection import Connection
from app.settings import Settings

HEAD = b"POST /prediction HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


def make_worker(connections: list[weakref.ref[Connection]]) -> Any:
    """Return a worker that admits everybody, with a stand-in for what answers requests."""

    def admit(connection: Connection) -> str:
        connections.append(weakref.ref(connection))
        return ""

    config = Config()
    config.set("asgi_disconnect_grace_period", 1)
    ASGIProtocol._check_h1c_protocol_available()
    fast_path = SimpleNamespace(may_answer=lambda *_: True, count_closed=lambda reason: None)
    return SimpleNamespace(
        **{"cfg": config, "log": logging.getLogger(), "asgi": None, "settings": Settings(), "fast_path": fast_path},
        **{"prefix": "", "nr_conns": 0, "nr": 0, "max_requests": 10, "alive": True, "ppid": 0},
        refuses=admit,
        forget=lambda connection: None,
        loop=asyncio.get_running_loop(),
    )


@pytest.mark.parametrize("sent", [b"", HEAD[:20], HEAD + b"12345"], ids=["nothing", "half a head", "half a body"])
def test_connection_that_was_reset_is_freed_without_garbage_collection(sent):
    """With thousands of such connections, a collection would hold up requests for tenths of a second."""

    async def reset() -> list[weakref.ref[Connection]]:
        connections: list[weakref.ref[Connection]] = []
        worker = make_worker(connections)
        server = await asyncio.get_running_loop().create_server(lambda: Connection(worker), "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            client.sendall(sent)
            await asyncio.sleep(0.1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await asyncio.sleep(1.3)  # Gunicorn looks after the task once more after the grace period
        server.close()
        return connections

    gc.collect()
    gc.disable()
    try:
        [connection] = asyncio.run(reset())
        assert connection() is None
    finally:
        gc.enable()
