"""The columns that scoring adds to a table, and what a person may want to know of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.bundle import Bundle
from app.model.explained_rows import (
    LABEL_COLUMN,
    P_VALUE_COLUMN,
    SCORE_COLUMN,
    UNFAMILIAR_COLUMN,
    explain_rows,
    flatten,
    to_cell,
    to_lists,
)
from app.model.scoring import Unfamiliar
from training.data.source import GUESS, Dialect
from training.errors import BadArgument

# The explanations of so many rows are objects at once, before they become columns.
_EXPLAINED_ROWS = 1000


@dataclass(frozen=True)
class HowToScore:
    """What a person wants to know of each row, and how the table is written.

    Parameters
    ----------
    is_raw
        Copy cells as they are. By default an apostrophe is put before a text that a spreadsheet takes for a formula.
    adds_p_values
        Also add the column ``p_value``, which is among those of explanations.
    adds_unfamiliar
        Add the column ``unfamiliar`` whether a row has such values or not.
    explains
        Also add the columns of explanations, as ``/predictions`` returns them in CSV.
    skips_bad_rows
        Write rows that cannot be scored to another file, instead of stopping at the first.
    dialect
        How the table is written, as far as it is known.
    """

    is_raw: bool = False
    adds_p_values: bool = False
    adds_unfamiliar: bool = False
    explains: bool = False
    skips_bad_rows: bool = False
    dialect: Dialect = GUESS

    def check(self, bundle: Bundle) -> None:
        """Refuse, with ``BadArgument``, p-values of a model that has none."""
        if self.adds_p_values and bundle.out_of_bag is None:
            raise BadArgument(
                f"--p-value: model {bundle.version} has no p-values: fewer than 200 of its training rows have an "
                "out-of-bag score, or it was made by an early release; leave the option out, or train again."
            )


# Label and score, of a table as it is written.
AS_USUAL = HowToScore()


def add_columns(
    bundle: Bundle,
    how: HowToScore,
    rows: NDArray[np.float64],
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    unfamiliar: dict[int, Unfamiliar] | None,
    convert: Callable[[str], str],
) -> dict[str, Any]:
    """Return the columns that are added to rows, by name.

    Parameters
    ----------
    bundle
        The model.
    how
        What is wanted.
    rows, scores, labels
        Of the rows, shapes ``(n_rows, n_columns)``, ``(n_rows,)`` and ``(n_rows,)``.
    unfamiliar
        By position of a row that has any: its unfamiliar values. None for no column of them.
    convert
        Applied to headers and texts that contain names of columns.
    """
    added: dict[str, Any] = {LABEL_COLUMN: labels, SCORE_COLUMN: scores}
    if how.adds_p_values and bundle.out_of_bag is not None:
        added[P_VALUE_COLUMN] = bundle.out_of_bag.p_values(scores)
    if how.explains:
        added |= _explain(bundle, rows, scores, convert)
    if unfamiliar is not None:
        texts = [""] * len(rows)
        for place, values in unfamiliar.items():
            texts[place] = to_cell(values)
        added[UNFAMILIAR_COLUMN] = texts
    return added


def _explain(
    bundle: Bundle, rows: NDArray[np.float64], scores: NDArray[np.float64], convert: Callable[[str], str]
) -> dict[str, list[Any]]:
    """Return the columns that explain rows, computed part by part."""
    if not len(rows):  # all were bad; the names of the columns are needed all the same
        some_row = np.zeros((1, len(bundle.features)))
        return {name: [] for name in _explain(bundle, some_row, bundle.forest.score(some_row), convert)}
    columns: dict[str, list[Any]] = {}
    for start in range(0, len(rows), _EXPLAINED_ROWS):
        part = slice(start, start + _EXPLAINED_ROWS)
        explained = to_lists(explain_rows(bundle.explainer, rows[part], scores[part]))
        for name, values in flatten(explained, convert).items():
            columns.setdefault(name, []).extend(values)
    return columns
