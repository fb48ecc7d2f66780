"""What a person decided about the columns of a training file."""

from __future__ import annotations

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
