"""What rows as text look like, as JSON Schema: a pattern that every client can follow."""

from __future__ import annotations

import re
from typing import Any

from app.model.features import Features
from app.web.operations import CSV, NDJSON

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
