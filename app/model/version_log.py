"""The log beside the versions of a model: who made which one live or moved a threshold, and when.

Training writes it and the recorder reads it into the audit trail. Neither NumPy nor another library is imported.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from app.server.regular_file import read_regular

# Hidden, like everything in the folder of models that is not a version.
CHANGES_FILE = ".version-changes"

PROMOTION, ROLLBACK, THRESHOLD = "promotion", "rollback", "threshold"

# Training keeps 200 changes of a few hundred bytes.
_MAX_CHANGES_BYTES = 2**20

_NANOSECONDS = 1_000_000_000


def name_operator() -> str:
    """Return the user who runs the command, as ``user@host``.

    With sudo, this is the original user. A container's user often has no name, and is shown by number.
    """
    try:
        user = (os.environ.get("SUDO_USER") if os.geteuid() == 0 else "") or getpass.getuser()
    except (KeyError, OSError):  # depends on the version of Python
        user = str(os.geteuid())
    return f"{user}@{socket.gethostname()}"


def seconds_since_1970(nanoseconds: int) -> float:
    """Convert a time of the file system to seconds, so that equal times stay equal.

    Dividing by ``1e9`` would round twice, and every other result would differ in the last bit.
    """
    return nanoseconds / _NANOSECONDS


@dataclass(frozen=True)
class VersionChange:
    """A change of the live version, or a new version with a moved threshold.

    Parameters
    ----------
    link_made_ns
        When the link to it was made, in nanoseconds since 1970, from the file system. No other link has this time, so a
        link that was made by hand can be distinguished. For a moved threshold, when that was done.
    who
        ``user@host`` of the person who ran the command.
    what
        ``promotion``, ``rollback`` or ``threshold``.
    before
        The version that was live before, or whose threshold was moved; empty if there was none.
    after
        The version that is live after it, or has the moved threshold.
    note
        Details in words.
    """

    link_made_ns: int
    who: str
    what: str
    before: str
    after: str
    note: str = ""

    @property
    def at(self) -> float:
        """The time of the change, in seconds since 1970."""
        return seconds_since_1970(self.link_made_ns)

    def to_line(self) -> str:
        """Serialize the change as a line of JSON.

        Examples
        --------
        >>> VersionChange.from_line(VersionChange(1_500_000_000, "ann@desk", PROMOTION, "", "v1").to_line()).at
        1.5
        """
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> VersionChange | None:
        """Parse a line; return None if it is not a change."""
        try:
            change = cls(**json.loads(line))
        except (ValueError, TypeError, RecursionError):  # the last one if it is nested deeply
            return None
        texts = (change.who, change.what, change.before, change.after, change.note)
        is_ours = (
            type(change.link_made_ns) is int
            and 0 <= change.link_made_ns < 2**63
            and all(isinstance(text, str) for text in texts)
        )
        return change if is_ours and change.what in (PROMOTION, ROLLBACK, THRESHOLD) else None


def read_changes(models: Path) -> list[VersionChange]:
    """Read the log of a folder of models, oldest first; empty if it cannot be read.

    Parameters
    ----------
    models
        The folder with the versions.
    """
    try:
        content = read_regular(models / CHANGES_FILE, _MAX_CHANGES_BYTES)
    except (OSError, ValueError):
        return []
    lines = content.decode("utf-8", errors="replace").splitlines()
    return [change for line in lines if (change := VersionChange.from_line(line))]
