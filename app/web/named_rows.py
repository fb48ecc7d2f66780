"""Rows whose values are named by column, in any order: put them into the order of the model's features."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from app.model.schema import Features
from app.web.fields import check_number_of_rows, read_value
from app.web.validation import MAX_LISTED_PROBLEMS, invalid_prediction, json_type

# The fields of rows by name, beside `feature_vector` and `feature_vectors`.
NAMED_ROW, NAMED_ROWS = "features", "rows"


def place_named_row(body: dict[str, Any], features: Features) -> dict[str, Any]:
    """Replace ``features`` in the body of a request by ``feature_vector``.

    Parameters
    ----------
    body
        With ``features``.
    features
        The model's features.

    Raises
    ------
    InvalidPredictionRequest
        If a name is missing or unknown, a value is not a number, or there is a ``feature_vector`` as well.

    Examples
    --------
    >>> place_named_row({"features": {"sd": 2, "mean": 0.5}, "score": True}, Features(("mean", "sd"), (0, 0), (1, 1)))
    {'score': True, 'feature_vector': [0.5, 2]}
    """
    if "feature_vector" in body:
        raise invalid_prediction({NAMED_ROW: ["send either this or feature_vector"]})
    row, problems = order_values(body[NAMED_ROW], features)
    if problems:
        raise invalid_prediction({NAMED_ROW: problems})
    return {name: value for name, value in body.items() if name != NAMED_ROW} | {"feature_vector": row}


def place_named_rows(body: object, features: Features, max_rows: int) -> object:
    """Replace ``rows`` in the body of a request by ``feature_vectors``; as :func:`place_named_row`.

    Raises
    ------
    InvalidPredictionRequest
        With the first twenty mistakes, each with its row.
    BodyTooLarge
        If there are more than ``max_rows``.
    """
    if type(body) is not dict or NAMED_ROWS not in body:
        return body
    if "feature_vectors" in body:
        raise invalid_prediction({NAMED_ROWS: ["send either this or feature_vectors"]})
    rows = order_rows(body[NAMED_ROWS], features, max_rows, NAMED_ROWS)
    return {name: value for name, value in body.items() if name != NAMED_ROWS} | {"feature_vectors": rows}


def order_rows(records: object, features: Features, max_rows: int, place: str) -> list[list[Any]]:
    """Return the values of many rows by name in the order of the features.

    Parameters
    ----------
    records
        What should be a list of objects.
    features, max_rows
        The model's features, and the maximum number of rows.
    place
        Where they are in the body, for messages.

    Raises
    ------
    InvalidPredictionRequest, BodyTooLarge
        As :func:`place_named_rows`.
    """
    if not isinstance(records, list) or not records:
        raise invalid_prediction({place: ["expected a list of at least one row"]}, rows_in=place)
    check_number_of_rows(len(records), max_rows)
    ordered, problems = [], {}
    for index, record in enumerate(records):
        row, of_row = order_values(record, features)
        ordered.append(row)
        if of_row:
            problems[f"[{index}]"] = of_row
            if len(problems) >= MAX_LISTED_PROBLEMS:
                break
    if problems:
        raise invalid_prediction({place: problems}, rows_in=place)
    return ordered


def order_values(record: object, features: Features) -> tuple[list[Any], dict[str, list[str]] | list[str]]:
    """Return the values of a row by name in the order of the features, and what is wrong with them, by name.

    Examples
    --------
    >>> features = Features(("mean", "sd"), (0, 0), (1, 1))
    >>> order_values({"sd": 2, "mean": 0.5}, features)
    ([0.5, 2], {})
    >>> order_values({"mean": 0.5, "sdev": 2}, features)[1]
    {'sd': ['missing'], 'sdev': ['no such column; did you mean sd?']}
    """
    names = features.names
    if type(record) is not dict:
        return [], [f"expected an object with {', '.join(names)}, got {json_type(record)}"]
    if len(record) == len(names):
        try:
            row = [record[name] for name in names]
        except KeyError:
            pass
        else:
            read = [read_value(features, column, value) for column, value in enumerate(row)]
            return row, {name: [value] for name, value in zip(names, read, strict=True) if isinstance(value, str)}
    return [], find_problems_of_names(record, names)


def find_problems_of_names(given: Mapping[str, object] | Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    """Return which names are missing and which are unknown, each unknown one with the nearest column."""
    problems = {name: ["missing"] for name in names if name not in given}
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            problems[name] = ["no such column" + (f"; did you mean {near[0]}?" if near else "")]
    return dict(list(problems.items())[:MAX_LISTED_PROBLEMS])


def match_header(header: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    r"""Return the column of each cell of a header that means one: without blanks around it, and in any Unicode form.

    Examples
    --------
    >>> list(match_header([" sd", "cafe\u0301", "id"], ["café", "sd"]).values())
    ['sd', 'café']
    """
    by_form = {unicodedata.normalize("NFC", name.strip()): name for name in names}
    found = {cell: by_form.get(unicodedata.normalize("NFC", cell.strip())) for cell in header}
    return {cell: name for cell, name in found.items() if name is not None}


def order_columns(
    header: Sequence[str], features: Features, *, ignore_extra: bool = False
) -> tuple[list[int], dict[str, list[str]]]:
    """Return the number of each feature's column, and what is wrong with the header, by name; one of both is empty.

    Examples
    --------
    >>> features = Features(("mean", "sd"), (0, 0), (1, 1))
    >>> order_columns(["id", "sd", "mean"], features, ignore_extra=True)
    ([2, 1], {})
    >>> order_columns(["sd", "sd"], features)
    ([], {'mean': ['missing'], 'sd': ['named twice']})
    """
    matched = match_header(header, features.names)
    found = [matched.get(cell) for cell in header]  # None for another column
    known = [name for name in found if name is not None]
    extra = [] if ignore_extra else [cell for cell in header if cell not in matched]
    problems = find_problems_of_names([*known, *extra], features.names)
    problems |= {name: ["named twice"] for name in features.names if known.count(name) > 1}
    return ([] if problems else [found.index(name) for name in features.names]), problems
