"""What a person decided about the columns and rows of a training file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.model.schema import MAX_ONE_HOT_LEVELS


@dataclass(frozen=True)
class Choices:
    """What a person decided about the columns of a training file.

    Parameters
    ----------
    category
        Columns that are categories even if their values are numbers.
    allow_missing
        Whether values may be missing later in columns that have all of them in training, or in which of these.
    max_levels
        A category with more levels becomes their shares.
    time_parts
        Columns of times, of which hour of day and day of week are used.
    """

    category: tuple[str, ...] = ()
    allow_missing: bool | frozenset[str] = False
    max_levels: int = MAX_ONE_HOT_LEVELS
    time_parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleOptions:
    """How many rows of a large table are read.

    Parameters
    ----------
    max_rows
        The most rows; of a table with more, so many are drawn.
    seed
        Another one draws other rows.
    on_rows
        Called regularly with the number of rows that were read.
    """

    max_rows: int
    seed: int
    on_rows: Callable[[int], None] = lambda n_rows: None
