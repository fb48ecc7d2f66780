"""Who types a command, for the audit trail. Only the standard library is imported: training uses it as well."""

from __future__ import annotations

import getpass
import os
import socket


def name_operator() -> str:
    """Name the user and the machine, as ``user@host``.

    Who became root by sudo is named by the own name; a container's user often has none, and is named by number.
    """
    try:
        user = (os.environ.get("SUDO_USER") if os.geteuid() == 0 else "") or getpass.getuser()
    except (KeyError, OSError):  # of different versions of Python
        user = str(os.geteuid())
    return f"{user}@{socket.gethostname()}"
