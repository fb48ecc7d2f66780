"""The folder of all bundles: one process changes it at a time, and a version goes live in one step."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from app.errors import InvalidChoice, ModelsNotWritable
from app.model.live_model import CURRENT_LINK
from app.model.store.copied_link import move_copy_away, version_in
from app.model.store.versions import (
    HISTORY_FILE,
    age_of,
    is_copy,
    is_version,
    may_be_named,
    name_of_model,
    name_version,
    versions_up_to,
    write_changes,
    write_history,
)
from app.model.version_log import CHANGES_FILE, PROMOTION, ROLLBACK, VersionChange, name_operator
from app.server.atomic_file import replacing

# Stays in the folder, empty: removed, it could be locked by two processes at once.
LOCK_FILE = ".lock"

# Hidden, so that a listing of versions never shows a bundle that is still being written, or being removed. One name
# each is enough: the holder of the lock is alone, and what it finds there was left by a process that was killed.
_UNFINISHED_BUNDLE, _REMOVED_BUNDLE = ".writing-bundle", ".removing-bundle"

# Without a log configuration, as in a command, a warning is a line on standard error.
log = logging.getLogger(__name__)


class ModelStore:
    """The folder that holds ``<version>/`` for each bundle, and the link ``current`` to the live one.

    Parameters
    ----------
    folder
        Created when the first bundle is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Lock the store, waiting for other writers, and yield an empty folder for a bundle.

        What is not published when the block ends, be it by an error or by Ctrl-C, is removed.

        Raises
        ------
        ModelsNotWritable
            If the store cannot be written, or the disk is full.
        """
        was_there = self.folder.exists()
        try:
            with self._explaining_errors():
                self.folder.mkdir(parents=True, exist_ok=True)
            with self._changing():
                unfinished = self.folder / _UNFINISHED_BUNDLE
                try:
                    unfinished.mkdir()
                    shutil.copymode(self.folder, unfinished)  # who may write there may also remove bundles of others
                    yield unfinished
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
        finally:
            if not was_there and self.folder.is_dir() and not any(self.folder.glob("[!.]*")):
                shutil.rmtree(self.folder, ignore_errors=True)

    def find_free_version(self, forest_sha256: str, trained_at: datetime) -> str:
        """Return the name of a version that does not exist yet: if the second is taken, of the next free one.

        Parameters
        ----------
        forest_sha256
            Digest of ``forest.npz``, in hexadecimal.
        trained_at
            When the forest was trained, in UTC.
        """
        while (self.folder / (version := name_version(forest_sha256, trained_at))).exists():
            trained_at += timedelta(seconds=1)
        return version

    def publish(self, unfinished: Path, version: str) -> Path:
        """Add a bundle and make it live; if that fails, the store stays as it was.

        Parameters
        ----------
        unfinished
            The folder that :meth:`writing` yielded, complete.
        version
            A version that does not exist yet.
        """
        place = self.folder / version
        try:
            self.add(unfinished, version)
            self._go_live(version, [*versions_up_to(self.live_version(), self.folder), version], PROMOTION)
        except BaseException:
            if self.live_version() != version:
                shutil.rmtree(place, ignore_errors=True)
            raise
        return place

    def add(self, unfinished: Path, version: str) -> Path:
        """Add a bundle without making it live; parameters are those of :meth:`publish`."""
        for file in unfinished.iterdir():
            _flush(file)
        _flush(unfinished)
        place = unfinished.rename(self.folder / version)
        _flush(self.folder)
        return place

    def versions(self) -> list[str]:
        """Return the versions in the store, oldest first."""
        if not self.folder.is_dir():
            return []
        return [entry.name for entry in sorted(filter(is_version, self.folder.iterdir()), key=age_of)]

    def live_version(self) -> str | None:
        """Return the version that the link leads to, existing or not, or that a copy in its place is of; else None."""
        link = self.folder / CURRENT_LINK
        if is_copy(link):
            return version_in(link)
        return link.readlink().name if link.is_symlink() else None

    def find(self, version: str) -> Path:
        """Return the folder of a version.

        Raises
        ------
        InvalidChoice
            If there is no such version.
        """
        if version not in (there := self.versions()):
            raise InvalidChoice(
                f"{self.folder} has no version {version}; "
                + (f"it has {', '.join(there)}." if there else "it has none: train one with `make train`.")
            )
        return self.folder / version

    def promote(self, version: str, check: Callable[[Path], None], who: str = "") -> None:
        """Make a version live.

        Parameters
        ----------
        version
            An existing version.
        check
            Called with the version's folder while nobody else can change the store; if it raises, nothing changes.
        who
            Who does it, for the audit trail; by default who runs this process.

        Raises
        ------
        InvalidChoice
            If there is no such version.
        ModelsNotWritable
            If the link cannot be moved.
        """
        self.find(version)
        with self._changing():
            check(self.find(version))
            history = versions_up_to(live := self.live_version(), self.folder)
            self._go_live(version, history if version == live else [*history, version], PROMOTION, who)

    def rollback(self, check: Callable[[Path], None]) -> str:
        """Make the previously live version live again, and remove the current one from the history.

        Versions that no longer exist and models of other names are skipped. A second call goes back one version
        further.

        Parameters
        ----------
        check
            As in :meth:`promote`.

        Returns
        -------
        The version that is live now.

        Raises
        ------
        InvalidChoice
            If no existing version was live before.
        ModelsNotWritable
            If the link cannot be moved.
        """
        with self._explaining_errors():
            self._find_previous()
        with self._changing():
            history = self._find_previous()
            check(self.find(history[-1]))
            self._go_live(history[-1], history, ROLLBACK)
            return history[-1]

    def prune(self, keep: int) -> Iterator[str]:
        """Remove all versions but the newest ``keep`` and the live one; yield each as soon as it is removed."""
        if not self.folder.is_dir():
            return
        with self._changing():
            versions = self.versions()
            for version in versions[: max(len(versions) - keep, 0)]:
                if version != self.live_version():
                    self._remove(version)
                    yield version

    def _find_previous(self) -> list[str]:
        """Return the history up to the previously live version that still exists."""
        live, there = self.live_version(), self.versions()
        history = versions_up_to(live, self.folder)
        name = name_of_model(self.folder / live) if live else None
        while history and (
            history[-1] == live or history[-1] not in there or not may_be_named(self.folder / history[-1], name)
        ):
            history.pop()
        if not history:
            raise InvalidChoice(
                f"{self.folder} has no version that was live before"
                f"{f' {live}' if live else ''}{f' and is named {name}' if name else ''}; name one with promote VERSION."
            )
        return history

    def _remove(self, version: str) -> None:
        """Remove a version; it disappears in one step, however long removing its files takes."""
        removed = (self.folder / version).rename(self.folder / _REMOVED_BUNDLE)
        shutil.rmtree(removed)

    def _go_live(self, version: str, history: list[str], what: str, who: str = "") -> None:
        """Make ``current`` point to a version in one step; relative, so that the store can be moved."""
        link = self.folder / CURRENT_LINK
        with (
            replacing(self.folder / CHANGES_FILE) as changes,
            replacing(self.folder / HISTORY_FILE) as versions,
            replacing(link, durable=False) as new_link,
        ):
            new_link.symlink_to(version)
            write_history(versions, history)
            made_ns = new_link.lstat().st_mtime_ns
            change = VersionChange(made_ns, who or name_operator(), what, self.live_version() or "", version)
            write_changes(changes, change)
            if is_copy(link):
                move_copy_away(link)
        _flush(self.folder)

    def _remove_leftovers(self) -> None:
        """Remove what a killed process left unfinished; only the holder of the lock may."""
        for folder in (_UNFINISHED_BUNDLE, _REMOVED_BUNDLE):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        for file in self.folder.glob(".*.writing"):
            file.unlink(missing_ok=True)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock of the store, and explain errors of the file system."""
        # Every user who can write to the folder can lock it. The system releases the lock of a process that dies.
        lock = FileLock(self.folder / LOCK_FILE, mode=0o666, fallback_to_soft=False)
        with self._explaining_errors():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                log.warning("Waiting for another process that is changing %s ...", self.folder)
                lock.acquire()
            try:
                self._remove_leftovers()
                yield
            finally:
                lock.release()

    @contextmanager
    def _explaining_errors(self) -> Iterator[None]:
        """Turn errors of the file system into refusals."""
        try:
            yield
        except OSError as error:
            raise ModelsNotWritable(
                f"{self.folder} cannot be written ({error.strerror or error}); "
                "make room or correct the permissions, or name another folder with --models."
            ) from error


def _flush(path: Path) -> None:
    """Wait until a file or folder has reached the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
