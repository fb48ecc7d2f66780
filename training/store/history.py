"""Which versions were live, in order, and who made which version live.

The order is for ``rollback``; the changes are for the audit trail that the service keeps. Both files are written before
the link to the live version is moved and renamed after it, so neither mentions a move that did not happen. After a
crash in between, the link is right and the files are one move behind: the link counts, and the service records that it
does not know who moved it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from app.model.version_log import VersionChange, name_operator, read_changes

# Hidden, like everything in the store that is not a version.
HISTORY_FILE = ".live-versions"

# Nobody goes back further than this, and the file of a store that gets a new version every hour stays small.
_MAX_VERSIONS = 100

# A running service reads a change within seconds; one that was stopped for months still finds the last ones.
_MAX_CHANGES = 200


def versions_up_to(live: str | None, folder: Path) -> list[str]:
    """Return the versions that were live, oldest first, up to and including ``live``.

    Parameters
    ----------
    live
        The version that the link leads to, if any.
    folder
        The folder of all bundles.
    """
    try:
        versions = (folder / HISTORY_FILE).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        versions = []
    if live is None:
        return versions
    if live not in versions:  # the link was moved by hand, or a crash left the history out of date
        return [*versions, live]
    return versions[: len(versions) - versions[::-1].index(live)]


def write_history(file: Path, versions: list[str]) -> None:
    """Write which versions were live, oldest first, one per line."""
    _write_lines(file, (f"{version}\n" for version in versions[-_MAX_VERSIONS:]))


def write_changes(file: Path, new_link: Path, what: str, before: str) -> None:
    """Write the changes of the live version, oldest first, one per line, with a new one at the end.

    Parameters
    ----------
    file
        What to write, in the folder of all bundles.
    new_link
        The link to the version that becomes live.
    what
        ``promotion`` or ``rollback``.
    before
        The version that is live; empty if none is.
    """
    made_ns, version = new_link.lstat().st_mtime_ns, new_link.readlink().name
    changes = [*read_changes(file.parent), VersionChange(made_ns, name_operator(), what, before, version)]
    _write_lines(file, (change.to_line() for change in changes[-_MAX_CHANGES:]))


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    """Write a file and flush it to disk, so that a full disk is noticed before the link is moved."""
    with file.open("w", encoding="utf-8") as opened:
        opened.writelines(lines)
        opened.flush()
        os.fsync(opened.fileno())
