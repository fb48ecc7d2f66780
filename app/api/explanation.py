"""Explanations in answers: their fields, described for the OpenAPI document, and the limit on their number.

They are computed in Flask's threads and not in the event loop, where other requests would wait a few milliseconds for
a counterfactual; see ``app.api.fast_path``.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from app.errors import BodyTooLarge

# The name of the option in a body, in a query, and among the parameters of /v2.
EXPLAIN = "explain"

EXPLAIN_DESCRIPTION = "Also return why the model gives this score; see docs/explanations.md."

# A counterfactual takes up to a few milliseconds, so this is as much work as an answer may cause in some seconds.
MAX_EXPLAINED_ROWS = 1000


class ExplanationFields(Schema):
    """Why a row has its score. Only when `explain` was true."""

    contributions = fields.Dict(
        keys=fields.String(),
        values=fields.Float(),
        metadata={
            "description": "By column; positive means more abnormal. With `baseline` they add up to "
            "`log2(-anomaly_score)`. Only when `explain` was true, like the following fields.",
            "example": {"mean": -0.05, "sd": 0.61},
        },
    )
    baseline = fields.Float(metadata={"description": "The same for all rows.", "example": -1.24})
    reasons = fields.List(
        fields.String(),
        metadata={
            "description": "The columns that make the row abnormal, in words, the most important first; at most three.",
            "example": ["sd = 39.2 is higher than 99.9 % of training rows"],
        },
    )
    counterfactual = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True)),
        allow_none=True,
        metadata={
            "description": "The smallest change that makes an outlier an inlier, by column: from and to a number, a "
            "text, true or false; from null if it was missing. null if there is none.",
            "example": {"sd": {"from": 39.2, "to": 2.1}},
        },
    )
    p_value = fields.Float(
        allow_none=True,
        metadata={
            "description": "The share of ordinary rows that are at least as abnormal; null if it is not known.",
            "minimum": 0,
            "maximum": 1,
            "example": 0.0004,
        },
    )
    notes = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "What is to be known about a field, such as why it is null."},
    )


def list_fields(schema: type[Schema]) -> dict[str, fields.Field[Any]]:
    """Return the fields of many rows' answers: for each field of one row's answer, a list with a value per row."""
    described = "In the order of the rows; see `/prediction`."
    return {
        name: fields.List(field, metadata={"description": described})
        for name, field in schema._declared_fields.items()  # the classes' fields have no other name
    }


def check_number_of_explained_rows(n_rows: int) -> None:
    """Refuse to explain too many rows at once.

    Raises
    ------
    BodyTooLarge
        If there are more than ``MAX_EXPLAINED_ROWS``.
    """
    if n_rows > MAX_EXPLAINED_ROWS:
        raise BodyTooLarge(
            f"The request has {n_rows} rows to explain: send at most {MAX_EXPLAINED_ROWS} at once, or leave out "
            f"{EXPLAIN}."
        )
