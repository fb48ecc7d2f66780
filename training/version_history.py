"""Which versions were live, in their order, so that one can go back."""

from __future__ import annotations

import os
from pathlib import Path

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
