"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from app.errors import RecordsUnavailable


@contextmanager
def replacing(*targets: Path) -> Iterator[list[Path]]:
    """Give a file to write for each target; all take the targets' places when the block ends well.

    Raises
    ------
    RecordsUnavailable
        If a file cannot be written.
    """
    # Two exports to one place must not share an unfinished file. What is recorded is not for everybody to read.
    unfinished = [target.with_name(f".{target.name}.{os.getpid()}.writing") for target in targets]
    try:
        with ExitStack() as opened:
            for file in unfinished:
                opened.callback(os.close, os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        yield unfinished
        for file, target in zip(unfinished, targets, strict=True):
            _flush(file)
            file.replace(target)
    except OSError as error:
        raise RecordsUnavailable(
            f"{targets[0]} cannot be written ({error.strerror or error}): make room, or name another file with --out."
        ) from error
    finally:
        for file in unfinished:
            with suppress(OSError):
                file.unlink()


def _flush(file: Path) -> None:
    """Wait until a file has reached the disk."""
    opened = os.open(file, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
