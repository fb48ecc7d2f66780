"""The folder of all bundles: one training writes at a time, and a new bundle goes live in one step."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from app.model.current_model import CURRENT_LINK
from training.errors import ModelsNotWritable

# Hidden, so that a listing of versions never shows a bundle that is still being written. One name each is
# enough: who holds the lock is alone, and what it finds there was left by a process that was killed.
_UNFINISHED_BUNDLE, _UNFINISHED_LINK = ".writing-bundle", ".writing-link"


class ModelStore:
    """The folder that holds ``<version>/`` for each bundle, and the link ``current`` to the live one.

    Parameters
    ----------
    folder
        Made when the first bundle is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Lock the store, waiting while another writes, and give an empty folder to write a bundle into.

        Whatever was not published when the block ends, by an error or by Ctrl-C, is removed.

        Raises
        ------
        ModelsNotWritable
            If the store cannot be written, or the disk is full.
        """
        was_there = self.folder.exists()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder):
                unfinished = self.folder / _UNFINISHED_BUNDLE
                try:
                    shutil.rmtree(unfinished, ignore_errors=True)
                    unfinished.mkdir()
                    yield unfinished
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
        except OSError as error:
            raise ModelsNotWritable(
                f"{self.folder} cannot be written ({error.strerror or error}); "
                "make room or correct the permissions, or name another folder with --models."
            ) from error
        finally:
            if not was_there and self.folder.is_dir() and not any(self.folder.iterdir()):
                self.folder.rmdir()

    def find_free_version(self, forest_sha256: str, trained_at: datetime) -> str:
        """Name a version that does not exist yet: when the second is taken, the next free one.

        Parameters
        ----------
        forest_sha256
            Digest of ``forest.npz``, in hexadecimal.
        trained_at
            When the forest was trained, in UTC.
        """
        while (self.folder / (version := f"{trained_at:%Y%m%dT%H%M%SZ}-{forest_sha256[:8]}")).exists():
            trained_at += timedelta(seconds=1)
        return version

    def publish(self, unfinished: Path, version: str) -> Path:
        """Give a bundle its place and make it the live one; if that fails, the store is as it was.

        Parameters
        ----------
        unfinished
            The folder that :meth:`writing` gave, complete.
        version
            A version that does not exist yet.
        """
        for file in unfinished.iterdir():
            _flush(file)
        _flush(unfinished)
        place = self.folder / version
        try:
            unfinished.rename(place)
            self._move_link(version)
        except BaseException:
            if self._read_link() != version:
                shutil.rmtree(place, ignore_errors=True)
            raise
        _flush(self.folder)
        return place

    def _move_link(self, version: str) -> None:
        """Let ``current`` point to a version in one step; relative, so that the store can be moved."""
        new_link = self.folder / _UNFINISHED_LINK
        try:
            new_link.unlink(missing_ok=True)
            new_link.symlink_to(version)
            new_link.replace(self.folder / CURRENT_LINK)
        finally:
            new_link.unlink(missing_ok=True)

    def _read_link(self) -> str | None:
        """Name the live version, if there is one."""
        link = self.folder / CURRENT_LINK
        return str(link.readlink()) if link.is_symlink() else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's own lock: no lock file is left behind, and a holder that dies frees it."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _flush(path: Path) -> None:
    """Wait until a file or folder has reached the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
