"""What training notes beside the versions of a model: who made which one live, and when.

Who types a command, for the audit trail. Only the standard library is imported: training uses it as well.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path


def name_operator() -> str:
    """Name the user and the machine, as ``user@host``.

    Who became root by sudo is named by the own name; a container's user often has none, and is named by number.
    """
    try:
        user = (os.environ.get("SUDO_USER") if os.geteuid() == 0 else "") or getpass.getuser()
    except (KeyError, OSError):  # of different versions of Python
        user = str(os.geteuid())
    return f"{user}@{socket.gethostname()}"


# Hidden, like everything in the folder of models that is no version.
CHANGES_FILE = ".version-changes"

PROMOTION, ROLLBACK = "promotion", "rollback"

_NANOSECONDS = 1_000_000_000


def seconds_since_1970(nanoseconds: int) -> float:
    """Turn a time of the file system into seconds, in the one way that makes equal times equal.

    Dividing by ``1e9`` would round twice, and every other time differ in its last bit from what is returned here.
    """
    return nanoseconds / _NANOSECONDS


@dataclass(frozen=True)
class VersionChange:
    """A version was made the live one.

    Parameters
    ----------
    link_made_ns
        When the link to it was made, in nanoseconds since 1970, as the file system keeps it. No other link has this
        time, so that a link which somebody made by hand is told from one that this is about.
    who
        ``user@host`` of who typed the command.
    what
        ``promotion`` or ``rollback``.
    before
        The version that was live until then; empty if none was.
    after
        The version that is live since.
    """

    link_made_ns: int
    who: str
    what: str
    before: str
    after: str

    @property
    def at(self) -> float:
        """When it was, in seconds since 1970."""
        return seconds_since_1970(self.link_made_ns)

    def to_line(self) -> str:
        """Write it as a line of JSON.

        Examples
        --------
        >>> VersionChange.from_line(VersionChange(1_500_000_000, "ann@desk", PROMOTION, "", "v1").to_line()).at
        1.5
        """
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> VersionChange | None:
        """Read a line; None if it is none of ours."""
        try:
            change = cls(**json.loads(line))
        except (ValueError, TypeError):
            return None
        texts = (change.who, change.what, change.before, change.after)
        is_ours = isinstance(change.link_made_ns, int) and all(isinstance(text, str) for text in texts)
        return change if is_ours and change.what in (PROMOTION, ROLLBACK) else None


def read_changes(models: Path) -> list[VersionChange]:
    """Read what is noted in a folder of models, oldest first; nothing if no notes can be read.

    Parameters
    ----------
    models
        The folder that holds the versions.
    """
    try:
        lines = (models / CHANGES_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [change for line in lines if (change := VersionChange.from_line(line))]
