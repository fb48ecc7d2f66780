"""Where workers and recorder of one service meet: a Unix socket that keeps messages apart, in the metrics folder.

The folder belongs to one service and can be opened by its user only, so several services on a machine never meet.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from app.server.atomic_file import replacing

_SOCKET_FILE = "recorder.sock"

# Connections that wait until a new recorder takes them: more workers than any machine runs.
_BACKLOG = 512

# Of each worker; Linux doubles it. It holds some 2,700 requests of one row, about a second at full speed, or a batch of
# 10,000 rows of 40 features. The kernel may allow less (net.core.wmem_max).
_QUEUE_BYTES = 1_048_576


def listen(folder: Path) -> socket.socket:
    """Open the door of a service; a socket that was there before is replaced in one step."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with _ShortPath(folder) as short, replacing(Path(short, _SOCKET_FILE), durable=False) as unfinished:
        door.bind(str(unfinished))
        unfinished.chmod(0o600)
        door.listen(_BACKLOG)
    return door


def connect(folder: Path) -> socket.socket:
    """Connect a worker, without waiting for anything.

    Raises
    ------
    OSError
        If nobody listens.
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
    """Names a folder in a few letters: the address of a Unix socket holds 107, a path may be longer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        self._file = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._file}"

    def __exit__(self, *error: object) -> None:
        os.close(self._file)
