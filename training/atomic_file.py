"""A text file that is written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from training.errors import ModelsNotWritable


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[TextIO]:
    """Open a UTF-8 file to write; it takes the place of ``target`` in one step when the block ends.

    Parameters
    ----------
    target
        The file to write; its folder exists. Whatever ends the block early, it is as it was.

    Raises
    ------
    ModelsNotWritable
        If the file cannot be written.
    """
    # Two runs that write to one place must not share the unfinished file.
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.writing")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise ModelsNotWritable(
            f"{target} cannot be written ({error.strerror}); name another place with --out."
        ) from error
    finally:
        # Where nothing could be written, nothing can be removed.
        with contextlib.suppress(OSError):
            unfinished.unlink()
