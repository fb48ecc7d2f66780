"""The errors with which training refuses to go on, and the exit status of each.

* TrainingError        1  never raised itself
  * BadArgument        2  an option cannot be used as given
  * BadData            2  a CSV file cannot be trained on or scored

Each message is one sentence or two on one line: what is wrong, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from app.errors import ModelsNotWritable


class TrainingError(Exception):
    """The base of all refusals; ``exit_status`` is that of the command line."""

    exit_status: ClassVar[int] = 1


class BadArgument(TrainingError):
    """An option cannot be used as given."""

    exit_status = 2


class BadData(TrainingError):
    """A CSV file cannot be trained on or scored."""

    exit_status = 2


@contextmanager
def refusing_output(target: object) -> Iterator[None]:
    """Turn an operating system error while ``target`` is written into a refusal that names ``--out``.

    Raises
    ------
    ModelsNotWritable
        If the block raises an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise ModelsNotWritable(
            f"{target} cannot be written ({error.strerror}); name another place with --out."
        ) from error
