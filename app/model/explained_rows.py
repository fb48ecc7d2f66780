"""Answers and explanations of many rows, as the columns of a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.explain import Explainer, shorten
from app.server.output_file import disarm

# The columns that scoring adds to a table.
LABEL_COLUMN, SCORE_COLUMN, UNFAMILIAR_COLUMN = "is_inlier", "anomaly_score", "unfamiliar"

# With an explanation, or alone.
P_VALUE_COLUMN = "p_value"

# The header of a contribution in CSV, such as contribution.mean.
CONTRIBUTION_PREFIX = "contribution."

# Reasons are one cell of CSV.
_REASON_SEPARATOR = "; "


def explain_rows(explainer: Explainer, rows: NDArray[np.floating], scores: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return the fields that explain each row.

    Parameters
    ----------
    explainer
        Of the model.
    rows
        Shape ``(n_rows, n_features)``.
    scores
        Their anomaly scores, shape ``(n_rows,)``.
    """
    pairs = zip(rows, scores.tolist(), strict=True)
    return [explainer.explain(shorten(row), score).as_fields() for row, score in pairs]


def to_lists(explained: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the fields of many rows, each a list with a value per row."""
    return {name: [fields[name] for fields in explained] for name in explained[0]}


def flatten(answer: dict[str, list[Any]], convert: Callable[[str], str] = disarm) -> dict[str, list[Any]]:
    """Return columns whose every value fits into a cell of CSV; unknown values are None.

    Parameters
    ----------
    answer
        Columns; contributions and other fields of explanations may be among them.
    convert
        Applied to headers and texts that contain names of columns; by default, spreadsheets do not take them for
        formulas.

    Examples
    --------
    >>> flatten({"is_inlier": [-1], "contributions": [{"sd": 0.6}], "reasons": [["sd = 9 is high", "b = 1 is low"]]})
    {'is_inlier': [-1], 'contribution.sd': [0.6], 'reasons': ['sd = 9 is high; b = 1 is low']}
    """
    columns: dict[str, list[Any]] = {}
    for name, values in answer.items():
        if name == "contributions":
            for column in values[0]:
                columns[convert(f"{CONTRIBUTION_PREFIX}{column}")] = [value[column] for value in values]
        elif name == "reasons":
            columns[name] = [convert(_REASON_SEPARATOR.join(value)) for value in values]
        else:
            columns[name] = [to_cell(value) if type(value) is dict else value for value in values]
    return columns


def to_cell(value: Mapping[str, Any]) -> str:
    """Return named values as one cell of a table.

    Examples
    --------
    >>> to_cell({"mean": "above training range"})
    '{"mean":"above training range"}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
