"""The Unix socket in the metrics folder over which workers send messages to the recorder.

The folder belongs to one service and only its user can open it, so several services on a machine stay apart.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from app.server.atomic_file import replacing

_SOCKET_FILE = "recorder.sock"

# Connections that are pending until a new recorder accepts them: more workers than any machine runs.
_BACKLOG = 512

# Per worker; Linux doubles it. It holds some 2,700 requests of one row, about a second at full speed, or a batch of
# 10,000 rows of 40 features. The kernel may allow less (net.core.wmem_max).
_QUEUE_BYTES = 1_048_576


def listen(folder: Path) -> socket.socket:
    """Open the listener of a service; a socket that was there before is replaced in one step."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with _ShortPath(folder) as short, replacing(Path(short, _SOCKET_FILE), durable=False) as unfinished:
        listener.bind(str(unfinished))
        unfinished.chmod(0o600)
        listener.listen(_BACKLOG)
    return listener


def connect(folder: Path) -> socket.socket:
    """Connect a worker without waiting.

    Raises
    ------
    OSError
        If no recorder listens.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setblocking(False)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE_BYTES)
        with _ShortPath(folder) as short:
            connection.connect(f"{short}/{_SOCKET_FILE}")
    except OSError:
        connection.close()
        raise
    return connection


class _ShortPath:
    """A short name for a folder: a Unix socket's address holds 107 bytes, and a path may be longer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        self._file = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._file}"

    def __exit__(self, *error: object) -> None:
        os.close(self._file)
