"""Which versions were live, in their order, so that one can go back.

Notes who made which version live, for the audit trail that the service keeps.
"""

from __future__ import annotations

import os
from pathlib import Path

from app.model.version_log import CHANGES_FILE, VersionChange, name_operator, read_changes

UNFINISHED_CHANGES = ".writing-version-changes"

# A running service reads of a change within seconds; who stops it for months still has the last ones.
_MOST_CHANGES = 200


class ChangeNotes:
    """The changes of the live version, oldest first, a line each.

    As with the history, the link is moved before the note is there, so no note tells of a move that did not happen.
    After a crash in between, the service sees a link that nobody noted, and writes that it does not know who moved it.

    Parameters
    ----------
    folder
        The folder of all bundles.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file, self._unfinished = folder / CHANGES_FILE, folder / UNFINISHED_CHANGES

    def prepare(self, new_link: Path, what: str, before: str) -> None:
        """Write what the notes will be; whatever can fail, such as a full disk, fails here.

        Parameters
        ----------
        new_link
            The link to the version, which is to become the live one.
        what
            ``promotion`` or ``rollback``.
        before
            The version that is live; empty if none is.
        """
        made_ns, version = new_link.lstat().st_mtime_ns, new_link.readlink().name
        changes = [*read_changes(self._folder), VersionChange(made_ns, name_operator(), what, before, version)]
        with self._unfinished.open("w", encoding="utf-8") as file:
            file.writelines(change.to_line() for change in changes[-_MOST_CHANGES:])
            file.flush()
            os.fsync(file.fileno())

    def commit(self) -> None:
        """Put what was prepared in the notes' place."""
        self._unfinished.replace(self._file)

    def discard(self) -> None:
        """Forget what was prepared, if anything still is."""
        self._unfinished.unlink(missing_ok=True)


# Hidden, like everything in the store that is no version.
HISTORY_FILE, UNFINISHED_HISTORY = ".live-versions", ".writing-live-versions"

# Nobody goes back further than this, and a store that is promoted into every hour stays small.
_MOST_VERSIONS = 100


class VersionHistory:
    """The versions that were live, oldest first, a line each; the last one is the live one.

    The link is moved before the history is, so after a crash in between the link is right and the history one move
    behind: what the link says counts.

    Parameters
    ----------
    folder
        The folder of all bundles.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._unfinished = folder / HISTORY_FILE, folder / UNFINISHED_HISTORY

    def up_to(self, live: str | None) -> list[str]:
        """Name the versions that were live, ending with ``live``: the one that the link leads to, if any."""
        versions = self._read()
        if live is None:
            return versions
        if live not in versions:  # somebody moved the link by hand, or a crash kept the history behind
            return [*versions, live]
        return versions[: len(versions) - versions[::-1].index(live)]

    def prepare(self, versions: list[str]) -> None:
        """Write what the history will be; whatever can fail, such as a full disk, fails here."""
        with self._unfinished.open("w", encoding="utf-8") as file:
            file.writelines(f"{version}\n" for version in versions[-_MOST_VERSIONS:])
            file.flush()
            os.fsync(file.fileno())

    def commit(self) -> None:
        """Put what was prepared in the history's place."""
        self._unfinished.replace(self._file)

    def discard(self) -> None:
        """Forget what was prepared, if anything still is."""
        self._unfinished.unlink(missing_ok=True)

    def _read(self) -> list[str]:
        """Read the file; a store that never had one has no history."""
        try:
            return self._file.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return []
