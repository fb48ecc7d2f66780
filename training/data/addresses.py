"""Tables that are not on this machine: any address that fsspec opens, if it is installed."""

from __future__ import annotations

import errno
import importlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from app.server.output_file import open_output
from training.errors import BadArgument, BadData

# Who has access, and the signature of an address that grants it; neither belongs into messages and manifests.
_SECRETS = re.compile(r"(?<=://)[^/@]*@|[?#].*")


# Bytes that are requested at once: enough for the speed of a network, few enough for the memory of a block of rows.
_READ_AHEAD = 4 * 2**20


@dataclass(frozen=True)
class RemoteFile:
    """A table at an address; it has what the readers and writers use of a path.

    Parameters
    ----------
    address
        As fsspec takes it.

    Examples
    --------
    >>> file = RemoteFile("https://me:secret@host/rows.csv?signature=1")
    >>> str(file), file.name, file.suffix, str(file.with_name("other.csv"))
    ('https://host/rows.csv', 'rows.csv', '.csv', 'https://host/other.csv')
    """

    address: str

    def __str__(self) -> str:
        return _SECRETS.sub("", self.address)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(str(self)).name

    @property
    def suffix(self) -> str:
        """The end of the name, from its last dot on."""
        return PurePosixPath(str(self)).suffix

    def with_name(self, name: str) -> RemoteFile:
        """Return the address beside this one with another name; a signature is not kept, as it is not valid there."""
        return RemoteFile(f"{re.split('[?#]', self.address)[0].rpartition('/')[0]}/{name}")

    def read_bytes(self) -> bytes:
        """Read the content; as :meth:`open`."""
        with self.open() as opened:
            return opened.read()

    def open(self, mode: str = "rb") -> io.BufferedReader:
        """Open the content to be read in any order, as far as this kind of address can.

        Raises
        ------
        BadArgument
            If fsspec is not installed, or the package that it needs for this kind of address.
        BadData
            If the address cannot be read, also later.
        """
        try:
            with self._as_bad_data():
                system, path = self._fsspec().core.url_to_fs(self.address)
                opened = system.open(path, mode, block_size=_READ_AHEAD)
        except ImportError as error:
            raise self._lacks(error) from None
        return io.BufferedReader(_Download(self, opened), _READ_AHEAD)

    @contextmanager
    def replacing(self) -> Iterator[Any]:
        """Open the address to be written; what is there appears, or is replaced, when the block ends.

        If the block raises, or the process is killed, everything stays as it was. Parts that were uploaded by then are
        not visible; if the process was killed, the bucket's rules for unfinished uploads remove them.

        Yields
        ------
        A file that takes bytes.

        Raises
        ------
        BadArgument
            If fsspec is not installed, or the package that it needs for this kind of address.
        OSError
            If the address cannot be written.
        """
        try:
            with _as_os_error():
                system, path = self._fsspec().core.url_to_fs(self.address)
                opened = system.open(path, "wb", autocommit=False)
        except ImportError as error:
            raise self._lacks(error) from None
        try:
            yield _Upload(opened)
            with _as_os_error():
                opened.close()
                opened.commit()
        except BaseException:
            with suppress(Exception):
                opened.discard()
            # Otherwise it would be uploaded when it is collected.
            opened.closed = True
            raise

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove what is at the address.

        Raises
        ------
        OSError
            If there is nothing, unless ``missing_ok``, or it cannot be removed.
        """
        with _as_os_error():
            system, path = self._fsspec().core.url_to_fs(self.address)
            if not missing_ok or system.exists(path):
                system.rm_file(path)

    @contextmanager
    def _as_bad_data(self) -> Iterator[None]:
        """Raise ``BadData`` for every error: each kind of address has errors of its own."""
        try:
            yield
        except (ImportError, BadArgument):
            raise
        except Exception as error:
            raise BadData(
                f"{self} cannot be read ({_reason(error)}); check the address, and who may read it."
            ) from None

    def _fsspec(self) -> Any:
        """Import fsspec."""
        try:
            return importlib.import_module("fsspec")
        except ModuleNotFoundError:
            raise BadArgument(
                f"{self} is an address, which needs a package that is not installed: install fsspec, and what it needs "
                f"for {self.address.partition('://')[0]}; or name a file of this machine."
            ) from None

    def _lacks(self, error: ImportError) -> BadArgument:
        """Return the refusal if fsspec lacks a package."""
        return BadArgument(f"{self} cannot be opened: {error}; or name a file of this machine.")


class _Download(io.RawIOBase):
    """What readers take for a file."""

    def __init__(self, source: RemoteFile, opened: Any) -> None:
        self._source, self._opened = source, opened

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def seekable(self) -> bool:
        """Return whether it may be."""
        return bool(self._opened.seekable())

    def readinto(self, buffer: Any) -> int:
        """Read bytes."""
        with self._source._as_bad_data():
            data = self._opened.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        with self._source._as_bad_data():
            place: int = self._opened.seek(offset, whence)
        return place

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            self._opened.close()
        super().close()


class _Upload(io.RawIOBase):
    """What writers take for a file; closing it does not end the upload."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes, and upload what has been written if that is much."""
        with _as_os_error():
            written: int = self._opened.write(data)
        return written

    def tell(self) -> int:
        """Return how many bytes have been written."""
        position: int = self._opened.tell()
        return position


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise an ``OSError`` for every error: each kind of address has errors of its own."""
    try:
        yield
    except (ImportError, BadArgument):
        raise
    except NotImplementedError as error:
        raise OSError(errno.ENOTSUP, "such addresses can only be read") from error
    except Exception as error:
        raise OSError(errno.EIO, _reason(error)) from error


def _reason(error: Exception) -> str:
    """Return the first line of an error's text, without secrets, or its kind."""
    if isinstance(error, FileNotFoundError):
        return "there is nothing"
    return _SECRETS.sub("", str(error)).partition("\n")[0] or type(error).__name__


TableFile = Path | RemoteFile


@contextmanager
def open_result(target: TableFile) -> Iterator[Any]:
    """Open a file or an address for a result, which appears as a whole when the block ends; it takes bytes.

    Raises
    ------
    BadArgument
        As :meth:`RemoteFile.replacing`.
    OSError
        If it cannot be written.
    """
    if isinstance(target, RemoteFile):
        with target.replacing() as uploaded:
            yield uploaded
    else:
        with open_output(target) as opened:
            yield opened.buffer
