"""Notes who made which version live, for the audit trail that the service keeps."""

from __future__ import annotations

import os
from pathlib import Path

from app.model.version_changes import CHANGES_FILE, VersionChange, read_changes
from app.records.operator_name import name_operator

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
