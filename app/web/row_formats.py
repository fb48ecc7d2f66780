"""Rows as CSV and as newline-delimited JSON, in and out.

What rows as text look like, as JSON Schema: a pattern that every client can follow.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidPredictionRequest, NotJSON
from app.model.schema import Features
from app.web.fields import find_problems
from app.web.operations import CSV, NDJSON
from app.web.validation import refuse

CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE = "text/csv", "application/x-ndjson"

Columns = Mapping[str, Sequence[float]]


def read_csv(body: bytes, features: Features) -> list[list[object]]:
    r"""Read rows from a CSV file whose header names the features, in any order.

    Parameters
    ----------
    body
        UTF-8, with or without a byte order mark.
    features
        What a row of the model consists of.

    Returns
    -------
    Rows in the model's order; a cell that is no number stays a string.

    Raises
    ------
    InvalidPredictionRequest
        If the body is not UTF-8, the header does not name exactly the features, or a row has too few or too many
        cells.

    Examples
    --------
    >>> read_csv(b"sd,mean\n2,0.5\n", Features(("mean", "sd"), (0, 0), (1, 1)))
    [[0.5, 2.0]]
    """
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header, *rows = [line for line in lines if line] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise refuse({"": [f"the body is no CSV in UTF-8: {error}"]}) from None
    if sorted(header) != sorted(features.names):
        raise refuse({"": [f"expected the header {','.join(features.names)} (in any order), got {','.join(header)}"]})
    order = [header.index(name) for name in features.names]
    for place, row in enumerate(rows):
        if len(row) != len(order):
            raise refuse({"feature_vectors": {f"[{place}]": [f"expected {len(order)} cells, got {len(row)}"]}})
    return [[_read_cell(row[column]) for column in order] for row in rows]


def read_ndjson(body: bytes) -> list[object]:
    r"""Read rows from lines like ``{"feature_vector": [0.56, 0.23]}``; a line may also be the bare list.

    Raises
    ------
    NotJSON
        If a line is not strict JSON; the message says which, counted from 1.
    InvalidPredictionRequest
        If a line is an object with anything but a feature vector.

    Examples
    --------
    >>> read_ndjson(b'{"feature_vector": [1, 2]}\n[3, 4]\n')
    [[1, 2], [3, 4]]
    """
    rows: list[object] = []
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            decoded = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotJSON(f"Line {number} is not JSON: {error}.") from None
        if isinstance(decoded, dict):
            if decoded.keys() != {"feature_vector"}:
                message = f"line {number}: expected an object with feature_vector alone, or a list"
                raise InvalidPredictionRequest(message, [{"field": "", "row": len(rows), "message": message}])
            decoded = decoded["feature_vector"]
        rows.append(decoded)
    return rows


def write_csv(answer: Columns) -> bytes:
    """Lay an answer out with a header and a line a row."""
    lines = [",".join(answer)]
    lines += [",".join(map(repr, cells)) for cells in zip(*answer.values(), strict=True)]
    return ("\n".join(lines) + "\n").encode()


def write_ndjson(answer: Columns) -> bytes:
    """Lay an answer out as an object a line, as ``/prediction`` gives it for one row."""
    rows = zip(*answer.values(), strict=True)
    return msgspec.json.Encoder().encode_lines([dict(zip(answer, cells, strict=True)) for cells in rows])


def to_array(rows: list[object], features: Features) -> NDArray[np.float32]:
    """Make one array of rows, shape ``(n_rows, n_features)``.

    Raises
    ------
    InvalidPredictionRequest
        If there is no row, or one of them is not a row of finite numbers.
    """
    if not rows:
        raise refuse({"feature_vectors": ["expected at least one row"]})
    if problems := find_problems(rows, features):
        raise refuse({"feature_vectors": problems})
    return np.array(rows, np.float32)


def _read_cell(cell: str) -> object:
    """Read a number, or leave what is none for the check that names it."""
    try:
        # Python would also read 1_000, which nobody else takes for a number.
        return cell if "_" in cell else float(cell)
    except ValueError:
        return cell


# Plain decimals. The service reads more than this (exponents, blanks in JSON); a client that keeps to it is right.
_NUMBER = r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?"

# A name with anything else would have to be quoted in CSV.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")


def describe_texts(features: Features | None) -> dict[str, dict[str, Any]]:
    r"""Describe rows as CSV and as newline-delimited JSON.

    Parameters
    ----------
    features
        What a row of the live model consists of; None while there is no model.

    Returns
    -------
    A schema by media type; any string where no pattern would be right.

    Examples
    --------
    >>> schema = describe_texts(Features(("mean", "sd"), (0, 0), (1, 1)))["text/csv"]
    >>> [bool(re.fullmatch(schema["pattern"], text)) for text in ("mean,sd\n0.56,0.23\n-1,2\n", "1,2\n")]
    [True, False]
    """
    if features is None or not all(_PLAIN_NAME.fullmatch(name) for name in features.names):
        return {CSV: {"type": "string"}, NDJSON: {"type": "string"}}
    numbers = ",".join([_NUMBER] * len(features))
    return {
        CSV: {"type": "string", "pattern": rf"^{','.join(features.names)}\n({numbers}\n)+$"},
        NDJSON: {"type": "string", "pattern": rf"^(\[{numbers}\]\n)+$"},
    }
