"""The versions of a store: their names, which were live in which order, and who made which live.

The order is for ``rollback``; the changes are for the audit trail that the service keeps. Both files are written before
the link to the live version is moved and renamed after it, so neither mentions a move that did not happen. After a
crash in between, the link is right and the files are one move behind: the link counts, and the service records that it
does not know who moved it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from app.errors import InvalidBundle
from app.model.bundle import MANIFEST_FILE, read_manifest
from app.model.live_model import CURRENT_LINK
from app.model.version_log import VersionChange, read_changes

# A name starts with the second of the training, in UTC.
_TIME, _TIME_LENGTH = "%Y%m%dT%H%M%SZ", len("20260131T120059Z")

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")

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


def write_changes(file: Path, change: VersionChange) -> None:
    """Write the changes of versions, oldest first, one per line, with a new one at the end.

    Parameters
    ----------
    file
        What to write, in the folder of all bundles.
    change
        The new one.
    """
    changes = [*read_changes(file.parent), change]
    _write_lines(file, (each.to_line() for each in changes[-_MAX_CHANGES:]))


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    """Write a file and flush it to disk, so that a full disk is noticed before the link is moved."""
    with file.open("w", encoding="utf-8") as opened:
        opened.writelines(lines)
        opened.flush()
        os.fsync(opened.fileno())


def is_copy(link: Path) -> bool:
    """Return whether there is a folder instead of the link."""
    return link.is_dir() and not link.is_symlink()


def name_version(forest_sha256: str, trained_at: datetime) -> str:
    """Return the name of a version.

    Parameters
    ----------
    forest_sha256
        Digest of ``forest.npz``, in hexadecimal.
    trained_at
        When the forest was trained, in UTC.

    Examples
    --------
    >>> name_version("abcdef0123456789", datetime(2026, 1, 31, 12, 0, 59))
    '20260131T120059Z-abcdef01'
    """
    return f"{trained_at:{_TIME}}-{forest_sha256[:8]}"


def is_version(entry: Path) -> bool:
    """Return whether a path is a bundle, sound or not, and not something else, such as a user's notes."""
    # What should be the link to the live version is a copy of it where a store was copied by a tool without links.
    if not entry.is_dir() or entry.is_symlink() or entry.name.startswith(".") or entry.name == CURRENT_LINK:
        return False
    return bool(_NAME.fullmatch(entry.name)) or (entry / MANIFEST_FILE).exists()


def age_of(version: Path) -> tuple[str, int]:
    """Return the sort key of a version: the second in its name, then the time when it was written."""
    return version.name[:_TIME_LENGTH], version.stat().st_mtime_ns


def name_of_model(version: Path) -> str | None:
    """Return the name of the model in a version's folder; None if its manifest cannot be read."""
    try:
        return str(read_manifest(version, needs_signature=False).get("name"))
    except InvalidBundle:
        return None


def may_be_named(version: Path, name: str | None) -> bool:
    """Return whether a model may have a name: one that cannot be read may have any."""
    return name is None or name_of_model(version) in (name, None)
