"""Check that the address in ``BIND`` is free before anything slow starts, and print what to do if it is not."""

from __future__ import annotations

import errno
import os
import socket
import sys


def problem_of(bind: str) -> str:
    """Return in one sentence why ``bind`` cannot be listened on; empty if it can.

    Parameters
    ----------
    bind
        ``host:port``, as Gunicorn takes it, or several with commas between them; ``unix:`` and ``fd://`` addresses are
        left to Gunicorn.

    Examples
    --------
    >>> problem_of("127.0.0.1:0")
    ''
    >>> problem_of("127.0.0.1:eighty")
    'BIND=127.0.0.1:eighty is not an address: use host:port, for example BIND=127.0.0.1:8000.'
    """
    if "," in bind:
        return next(filter(None, map(problem_of, filter(None, map(str.strip, bind.split(","))))), "")
    if bind.startswith(("unix:", "fd://")):
        return ""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535 and host):
        return f"BIND={bind} is not an address: use host:port, for example BIND=127.0.0.1:8000."
    if error := listening_error(host, int(port)):
        if error.errno == errno.EADDRINUSE:
            other = int(port) + 1 if int(port) < 65535 else 8000
            return f"Port {port} is taken: stop what listens on {bind}, or use another port: make run PORT={other}."
        if error.errno == errno.EACCES:
            return f"Port {port} is reserved for administrators: use one above 1023, such as make run PORT=8000."
        return f"Nothing can listen on BIND={bind} ({error.strerror}): use an address of this machine."
    return ""


def listening_error(host: str, port: int) -> OSError | None:
    """Return the error of listening on an address; None if that is possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As Gunicorn does it: a port whose old connections are in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


if __name__ == "__main__":
    sys.exit(problem_of(os.environ["BIND"]) or None)
