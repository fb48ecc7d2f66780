"""Rows as CSV and as newline-delimited JSON: read requests, write answers, and describe both for OpenAPI."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.errors import NotJSON
from app.model.schema import Features
from app.model.values import is_missing
from app.web.codecs import decode_json
from app.web.fields import read_rows
from app.web.named_rows import NAMED_ROW, order_columns, order_values
from app.web.validation import invalid_prediction

CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE = "text/csv", "application/x-ndjson"

# Plain decimals. The service accepts more (exponents, blanks in JSON), but whatever follows this pattern is accepted.
_NUMBER = r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?"

# Any other name would have to be quoted in CSV.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")

# The field that only rows with unfamiliar values have.
UNFAMILIAR = "unfamiliar"

# Skipped, it would give every row after it the answer of another line.
BLANK_LINE = "this line is blank: send a value, or remove the line"

Columns = Mapping[str, Sequence[Any]]


def read_csv(body: bytes, features: Features, *, ignore_extra: bool = False) -> list[list[object]]:
    r"""Read rows from a CSV file whose header names the features, in any order, with or without blanks around them.

    Parameters
    ----------
    body
        UTF-8, with or without a byte order mark.
    features
        The model's features.
    ignore_extra
        Whether other columns are left out; by default they are refused.

    Returns
    -------
    Rows with their cells in the model's order; a cell that is not a number stays a string.

    Raises
    ------
    InvalidPredictionRequest
        If the body is not UTF-8, the header lacks a feature, names one twice or has other columns, a row has too few or
        too many cells, or a line is blank: answers would shift. Blank lines at the end are ignored if there are several
        columns.

    Examples
    --------
    >>> read_csv(b"sd,mean\n2,0.5\n", Features(("mean", "sd"), (0, 0), (1, 1)))
    [[0.5, 2.0]]
    """
    try:
        text = body.decode("utf-8-sig").lstrip("\r\n")
    except UnicodeDecodeError as error:
        raise invalid_prediction({"": [f"the body is not CSV in UTF-8: {error}"]}) from None
    lines: list[list[str]] = []
    try:
        for line in csv.reader(io.StringIO(text, newline=""), strict=True):
            lines.append(line)  # noqa: PERF402 - after a mistake, their number is the place
    except csv.Error as error:
        place = f"feature_vectors[{len(lines) - 1}]" if lines else ""
        raise invalid_prediction({place: [f"the body is not CSV: {error}"]}) from None
    header, *rows = lines or [[]]
    # With one column, a blank line at the end may also be a missing value.
    while rows and not rows[-1] and len(header) > 1:
        rows.pop()
    order = _find_columns(header, features, ignore_extra=ignore_extra)
    for index, row in enumerate(rows):
        if len(row) != len(header):
            message = f"expected {len(header)} cells, got {len(row)}" if row else BLANK_LINE
            raise invalid_prediction({"feature_vectors": {f"[{index}]": [message]}})
    readers = [_read_text if levels else _read_cell for levels in features.levels or (None,) * len(features)]
    return [[read(row[column]) for read, column in zip(readers, order, strict=True)] for row in rows]


def read_ndjson(body: bytes, features: Features) -> list[object]:
    r"""Read rows from lines such as ``[0.56, 0.23]``, ``{"feature_vector": [0.56, 0.23]}`` or ``{"features": {...}}``.

    Raises
    ------
    NotJSON
        If a line is not strict JSON; the message has its number, counted from 1.
    InvalidPredictionRequest
        If a line is an object with another field, lacks a feature or has an unknown one, has a number that no float can
        hold, or is blank; blank lines at the end are ignored.

    Examples
    --------
    >>> features = Features(("mean", "sd"), (0, 0), (1, 1))
    >>> read_ndjson(b'{"feature_vector": [1, 2]}\n[3, 4]\n{"features": {"sd": 6, "mean": 5}}\n', features)
    [[1, 2], [3, 4], [5, 6]]
    """
    rows: list[object] = []
    for number, line in enumerate(body.removeprefix(codecs.BOM_UTF8).rstrip().splitlines(), start=1):
        place = f"feature_vectors[{len(rows)}]"
        if not line.strip():
            raise invalid_prediction({place: [BLANK_LINE]})
        try:
            decoded = decode_json(line, place)
        except NotJSON as error:
            mistakes = error.errors or [{"field": place, "row": len(rows), "message": "not JSON"}]
            raise NotJSON(str(error).replace("The body", f"Line {number}", 1), mistakes) from None
        if isinstance(decoded, dict):
            if decoded.keys() == {NAMED_ROW}:
                decoded, problems = order_values(decoded[NAMED_ROW], features)
                if problems:
                    raise invalid_prediction({place: problems})
            elif decoded.keys() == {"feature_vector"}:
                decoded = decoded["feature_vector"]
            else:
                message = f"line {number}: expected an object with feature_vector or {NAMED_ROW} alone, or a list"
                raise invalid_prediction({place: [message]})
        rows.append(decoded)
    return rows


def _find_columns(header: list[str], features: Features, *, ignore_extra: bool) -> list[int]:
    """Return the number of each feature's column.

    Raises
    ------
    InvalidPredictionRequest
        If the header lacks a feature, names one twice, or has other columns that are not ignored.
    """
    order, problems = order_columns(header, features, ignore_extra=ignore_extra)
    if problems:
        is_complete = not any(name in problems for name in features.names)
        advice = "; add ?ignore_extra=true to leave it out" if is_complete else ""
        lines = "; ".join(f"{name}: {message}{advice}" for name, [message] in problems.items())
        raise invalid_prediction({"": [f"expected the header {','.join(features.names)} (in any order); {lines}"]})
    return order


def write_csv(answer: Columns) -> bytes:
    """Serialize an answer as a header and one line per row; values are numbers, texts, or None for an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(answer)
    writer.writerows(zip(*answer.values(), strict=True))
    return file.getvalue().encode()


def write_ndjson(answer: Columns) -> bytes:
    """Serialize an answer as one object per line, each like the answer of ``/prediction``."""
    rows = [dict(zip(answer, cells, strict=True)) for cells in zip(*answer.values(), strict=True)]
    if UNFAMILIAR in answer:
        rows = [{name: value for name, value in row.items() if name != UNFAMILIAR or value} for row in rows]
    return msgspec.json.Encoder().encode_lines(rows)


def to_array(rows: Sequence[object], features: Features, place: str = "feature_vectors") -> NDArray[np.floating]:
    """Return rows as one array of shape ``(n_rows, n_features)``; messages call them ``place``.

    Raises
    ------
    InvalidPredictionRequest
        If there is no row, or if a row is not a row of values of the columns.
    """
    if not rows:
        raise invalid_prediction({place: ["expected at least one row"]}, rows_in=place)
    read, problems = read_rows(rows, features)
    if problems:
        raise invalid_prediction({place: problems}, rows_in=place)
    return read


def describe_text_formats(features: Features | None) -> dict[str, dict[str, Any]]:
    r"""Describe rows as CSV and as newline-delimited JSON, with a pattern that any client can follow.

    Parameters
    ----------
    features
        The live model's features; None while there is no model.

    Returns
    -------
    A JSON Schema by media type; it accepts any string if no pattern would be correct.

    Examples
    --------
    >>> schema = describe_text_formats(Features(("mean", "sd"), (0, 0), (1, 1)))["text/csv"]
    >>> [bool(re.fullmatch(schema["pattern"], text)) for text in ("mean,sd\n0.56,0.23\n-1,2\n", "1,2\n")]
    [True, False]
    """
    if features is None or features.levels or not all(_PLAIN_NAME.fullmatch(name) for name in features.names):
        return {CSV_MEDIA_TYPE: {"type": "string"}, NDJSON_MEDIA_TYPE: {"type": "string"}}
    numbers = ",".join([_NUMBER] * len(features))
    return {
        CSV_MEDIA_TYPE: {"type": "string", "pattern": rf"^{','.join(features.names)}\n({numbers}\n)+$"},
        NDJSON_MEDIA_TYPE: {"type": "string", "pattern": rf"^(\[{numbers}\]\n)+$"},
    }


def _read_cell(cell: str) -> object:
    """Return a cell as a number, None if it is missing, or unchanged; a later check reports what is not a number."""
    if is_missing(cell, is_number=True):
        return None
    try:
        # Python also reads 1_000, which no other program takes for a number.
        return cell if "_" in cell else float(cell)
    except ValueError:
        return cell


def _read_text(cell: str) -> object:
    """Return a cell of a category or a boolean; a blank one is missing."""
    return cell.strip() or None
