"""Tables that are not on this machine: any address that fsspec opens, if it is installed."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from training.errors import BadArgument, BadData

# Who has access, and the signature of an address that grants it; neither belongs into messages and manifests.
_SECRETS = re.compile(r"(?<=://)[^/@]*@|[?#].*")


@dataclass(frozen=True)
class RemoteFile:
    """A table at an address; it has what the readers use of a path.

    Parameters
    ----------
    address
        As fsspec takes it.

    Examples
    --------
    >>> file = RemoteFile("https://me:secret@host/rows.csv?signature=1")
    >>> str(file), file.name
    ('https://host/rows.csv', 'rows.csv')
    """

    address: str

    def __str__(self) -> str:
        return _SECRETS.sub("", self.address)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(str(self)).name

    def read_bytes(self) -> bytes:
        """Read the content.

        Raises
        ------
        BadArgument
            If fsspec is not installed, or the package that it needs for this kind of address.
        BadData
            If the address cannot be read.
        """
        try:
            fsspec = importlib.import_module("fsspec")
        except ModuleNotFoundError:
            raise BadArgument(
                f"{self} is an address, which needs a package that is not installed: install fsspec, and what it needs "
                f"for {self.address.partition('://')[0]}; or name a file of this machine."
            ) from None
        try:
            with fsspec.open(self.address, "rb") as opened:
                content: bytes = opened.read()
                return content
        except ImportError as error:
            raise BadArgument(f"{self} cannot be opened: {error}; or name a file of this machine.") from None
        # Each kind of address has errors of its own.
        except Exception as error:
            reason = _SECRETS.sub("", str(error)).partition("\n")[0] or type(error).__name__
            raise BadData(f"{self} cannot be read ({reason}); check the address, and who may read it.") from None


TableFile = Path | RemoteFile
