"""Find the tables in a folder or that match a pattern, and read them as one."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from training.data.addresses import RemoteFile, TableFile
from training.data.block_hashes import is_typed
from training.data.blocks import read_blocks
from training.data.source import Dialect
from training.data.tables import CsvFile
from training.errors import BadData


def find_tables(source: TableFile) -> tuple[Path, list[Path]] | None:
    """Return the folder of tables and the tables, in the order of their names; None for a single table.

    Parameters
    ----------
    source
        A table; a folder, of which all files in it and below are tables, except those with a name that starts with
        ``.`` or ``_``; or a pattern with wildcards.
    """
    if isinstance(source, RemoteFile):
        return None
    if source.is_dir():
        found = sorted(path for path in source.rglob("*") if path.is_file())
        # What Spark and others add, such as _SUCCESS, is no table.
        return source, [
            path for path in found if not any(part.startswith((".", "_")) for part in path.relative_to(source).parts)
        ]
    if not source.exists() and glob.has_magic(str(source)):
        root = _root_of(source)
        return root, sorted(path for path in root.glob(str(source.relative_to(root))) if path.is_file())
    return None


def _root_of(pattern: Path) -> Path:
    """Return the folder above the first part of a pattern that has a wildcard.

    Examples
    --------
    >>> str(_root_of(Path("data/2026-*/rows.csv"))), str(_root_of(Path("*.csv")))
    ('data', '.')
    """
    parts = pattern.parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first])


def list_tables(source: TableFile) -> list[TableFile]:
    """Return the tables that a path, folder or pattern names.

    Raises
    ------
    BadData
        If there are none.
    """
    found = find_tables(source)
    if found is not None and not found[1]:
        raise BadData(f"{source}: there is no table; name a folder or a pattern that has some.")
    return [source] if found is None else [*found[1]]


def read_blocks_of_tables(paths: Sequence[TableFile], dialect: Dialect) -> Generator[tuple[int, CsvFile]]:
    """Yield blocks of tables that have the same columns, each with the place of its table.

    Raises
    ------
    BadData
        If a table cannot be read, or has other columns than the first.
    """
    first: CsvFile | None = None
    for place, path in enumerate(paths):
        with closing(read_blocks(path, dialect, writes_text=False, divides_small=len(paths) > 1)) as blocks:
            for block in blocks:
                file = block.file
                if first is None:
                    first = file
                    # So that guesses are printed once, and all files are read alike.
                    dialect = file.dialect if not is_typed(file) else dialect
                if file.header != first.header or is_typed(file) != is_typed(first):
                    raise BadData(
                        f"{path} has the columns {', '.join(file.header)}, and {paths[0]} has "
                        f"{', '.join(first.header)}: tables that are read as one must have the same columns in the "
                        "same order, and all be text or all be typed."
                    )
                yield place, file


def digest_tables(paths: Sequence[TableFile]) -> str:
    """Return the sha256 of a file; of many, that of their names and digests; of a pipe, an empty string."""
    digests = []
    for path in paths:
        if isinstance(path, RemoteFile) or path.is_file():
            with path.open("rb") as opened:
                digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    if len(paths) == 1:
        return digests[0] if digests else ""
    lines = [f"{path.name} {digest}\n" for path, digest in zip(paths, digests, strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
