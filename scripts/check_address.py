"""Check that the address in ``BIND`` is free, before anything long begins; say what to do when it is not."""

from __future__ import annotations

import errno
import os
import socket
import sys


def problem_of(bind: str) -> str:
    """Say in one sentence why ``bind`` cannot be listened on, or nothing.

    Parameters
    ----------
    bind
        ``host:port``, as Gunicorn takes it; ``unix:`` and ``fd://`` addresses are left to Gunicorn.

    Examples
    --------
    >>> problem_of("127.0.0.1:0")
    ''
    >>> problem_of("127.0.0.1:eighty")
    'BIND=127.0.0.1:eighty is no address: give host:port, for example BIND=127.0.0.1:8000.'
    """
    if bind.startswith(("unix:", "fd://")):
        return ""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535 and host):
        return f"BIND={bind} is no address: give host:port, for example BIND=127.0.0.1:8000."
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As Gunicorn does it: a port whose connections are only fading away is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"Port {port} is taken: stop what listens on {bind}, or say make run PORT=8001."
        if error.errno == errno.EACCES:
            return f"Port {port} is only for administrators: choose one above 1023, as in make run PORT=8000."
        return f"Nothing can listen on BIND={bind} ({error.strerror}): give an address of this machine."
    return ""


if __name__ == "__main__":
    sys.exit(problem_of(os.environ["BIND"]) or None)
