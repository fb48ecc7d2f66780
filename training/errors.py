"""Everything that training refuses, and the exit status of each refusal.

* TrainingError        1  never raised itself
  * BadArgument        2  an option cannot be used as given
  * BadData            2  a CSV file cannot be trained on or scored
  * ModelsNotWritable  1  a bundle or a result could not be stored

Each message is one sentence or two on one line: what is wrong, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class TrainingError(Exception):
    """The root of every refusal; ``exit_status`` is what the command line ends with."""

    exit_status: ClassVar[int] = 1


class BadArgument(TrainingError):
    """An option cannot be used as given."""

    exit_status = 2


class BadData(TrainingError):
    """A CSV file cannot be trained on or scored."""

    exit_status = 2


class ModelsNotWritable(TrainingError):
    """A bundle or a result could not be stored."""
