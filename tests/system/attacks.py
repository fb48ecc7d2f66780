"""Attack a service: ``python tests/system/attacks.py NAME COUNT PORT SECONDS``; it ends by itself.

Only the standard library and a process of its own, so that it can be pinned to a core and takes no time from the client
whose requests are measured. It prints ``attacking`` once all connections are open, and at the end how many it opened
and how many the service closed.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

# What the service has to survive: an attack's name and its number of connections; for the last two, connections per
# second: 10,000 resets in 30 s. The tests and benchmarks/attacks.py use it.
ATTACKS = (
    ("slow_heads", 8),
    ("slow_heads", 200),
    ("slow_heads", 2_000),
    ("slow_bodies", 200),
    ("silent_connections", 200),
    ("readers_of_nothing", 200),
    ("idle_keepalives", 1_000),
    ("lingering_closes", 100),
    ("resets", 334),
)

# Pause between two pieces of a slow request: a drop now and then, as Slowloris sends it.
DRIP_SECONDS = 1.0

# Pause before a closed connection is opened again, so that an attack lasts although the service defends itself.
REOPEN_SECONDS = 0.5

# Connections are opened one after the other within this time, because 200 requests for 1.7 MB at the same instant would
# be another attack.
SPREAD_SECONDS = 2.0

# The report that all connections are open is sent after this time at the latest: a service that accepts none is
# under attack as well.
OPEN_SECONDS = 4.0

# Requests that are answered with 1.7 MB each: more than the kernel buffers for a client that reads nothing.
LARGE = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 4

HEAD = b"POST /prediction HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
BODY = b'{"feature_vector": [0.56, 0.23]}'
COMPLETE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY

# Longer than any limit of the service, with only the first part sent.
TOO_LONG = HEAD + b"Content-Length: 100000000\r\n\r\n" + b" " * 65536

# Each is answered and closed by the service, while the client keeps its end open.
LINGERING = (TOO_LONG, b"nonsense\r\n\r\n", COMPLETE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))

# Points at which a client resets: within the head, within the body, and while it is answered.
RESET_AFTER = (len(HEAD) // 2, len(COMPLETE) - 5, len(COMPLETE))

# Attacks that are given as a rate start in this many portions a second.
PORTIONS = 50

# SO_LINGER on with a time of 0: close() sends RST.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Attacker:
    """Opens connections to a service and counts them.

    Parameters
    ----------
    port
        Port of the service on this machine.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.opened = self.closed = 0

    async def open(self, receive_buffer: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        client = self._socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self._port))
        self.opened += 1
        return await asyncio.open_connection(sock=client)

    async def drip(self, start: bytes, drop: bytes) -> None:
        """Send the start of a request and then a piece now and then, until the service closes."""
        reader, writer = await self.open()
        closed = asyncio.ensure_future(reader.read())
        try:
            writer.write(start)
            # Spread over the pause, as clients that know nothing of each other are.
            await asyncio.sleep(random.uniform(0, DRIP_SECONDS))
            while not closed.done():
                writer.write(drop)
                await writer.drain()
                await asyncio.wait([closed], timeout=DRIP_SECONDS)
        finally:
            closed.cancel()
            writer.close()

    async def hold(self, start: bytes) -> None:
        """Send something and then nothing, until the service closes."""
        reader, writer = await self.open()
        try:
            writer.write(start)
            while await reader.read(65536):
                pass
        finally:
            writer.close()

    async def never_read(self) -> None:
        """Request much and read nothing."""
        # The smallest buffer that Linux allows.
        _, writer = await self.open(receive_buffer=2048)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            writer.write(LARGE)
            await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    async def never_close(self, start: bytes) -> None:
        """Send something that the service answers and closes, and keep the connection open."""
        _, writer = await self.open()
        writer.write(start)
        await asyncio.Event().wait()

    async def reset(self, sent: int) -> None:
        """Send a part of a request and reset the connection."""
        client = self._socket()
        try:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self._port))
            self.opened += 1
            await asyncio.get_running_loop().sock_sendall(client, COMPLETE[:sent])
        finally:
            client.close()

    async def repeat(self, attack: Callable[[], Awaitable[None]], after: float) -> None:
        """Begin an attack after some seconds, and repeat it whenever the service ends it."""
        await asyncio.sleep(after)
        while True:
            with suppress(OSError):
                await attack()
            self.closed += 1
            await asyncio.sleep(REOPEN_SECONDS)

    async def keep_up(self, rate: int, attack: Callable[[int], Awaitable[None]]) -> None:
        """Start this many numbered attacks a second."""
        loop = asyncio.get_running_loop()
        started_at, number = loop.time(), 0

        async def attack_once(number: int) -> None:
            with suppress(OSError):
                await attack(number)

        async with asyncio.TaskGroup() as tasks:
            while True:
                while number < rate * (loop.time() - started_at):
                    tasks.create_task(attack_once(number))
                    number += 1
                await asyncio.sleep(1 / PORTIONS)

    @staticmethod
    def _socket() -> socket.socket:
        client = socket.socket()
        client.setblocking(False)
        return client


def start_attack(name: str, count: int, attacker: Attacker) -> list[Awaitable[None]]:
    """Return the parts of an attack that run at the same time."""
    forms: dict[str, Callable[[], Awaitable[None]]] = {
        "slow_heads": lambda: attacker.drip(HEAD, b"X-Slow: 1\r\n"),
        "slow_bodies": lambda: attacker.drip(HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        "silent_connections": lambda: attacker.hold(b""),
        "readers_of_nothing": attacker.never_read,
        "idle_keepalives": lambda: attacker.hold(COMPLETE),
    }
    if name == "lingering_closes":
        return [attacker.keep_up(count, lambda number: attacker.never_close(LINGERING[number % len(LINGERING)]))]
    if name == "resets":
        return [attacker.keep_up(count, lambda number: attacker.reset(RESET_AFTER[number % len(RESET_AFTER)]))]
    return [attacker.repeat(forms[name], after=SPREAD_SECONDS * number / count) for number in range(count)]


async def run(name: str, count: int, port: int, seconds: float) -> None:
    """Attack for a time, and print what happened."""
    attacker = Attacker(port)
    tasks = [asyncio.ensure_future(part) for part in start_attack(name, count, attacker)]
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + OPEN_SECONDS
    while attacker.opened < count and loop.time() < give_up_at:
        await asyncio.sleep(0.05)
    print("attacking", flush=True)
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({"opened": attacker.opened, "closed": attacker.closed}), flush=True)
    for error in ended:
        if not isinstance(error, asyncio.CancelledError):
            raise RuntimeError("the attack failed") from error


if __name__ == "__main__":
    # Thousands of connections, each a file.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(run(sys.argv[1], *map(int, sys.argv[2:])))
