"""``POST /invocations`` and ``GET /ping``: MLflow's scoring protocol, for clients that were written for its servers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields

from app.api.explanation import EXPLAIN_DESCRIPTION
from app.api.operation import NO_MODEL, TEXT_MEDIA_TYPE, Operation
from app.api.predictions import Batch, answer_batch
from app.api.service import CountedPrediction, name_model, name_record, service
from app.errors import NotARowsMediaType
from app.model.schema import Features
from app.web.codecs import JSON_MEDIA_TYPE, answer_json, load_body, read_body, read_json
from app.web.fields import Segment, StrictBoolean, check_number_of_rows
from app.web.middleware import request_ids
from app.web.named_rows import order_columns, order_rows
from app.web.row_formats import CSV_MEDIA_TYPE, read_csv, to_array
from app.web.validation import invalid_prediction, json_type

# A body has exactly one of these; what each holds is described in MLflow's documentation of its scoring server.
_SPLIT, _RECORDS, _INSTANCES, _INPUTS = FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")

mlflow = Blueprint("mlflow", __name__)


class MLflowParameters(Schema):
    """What is asked for besides labels."""

    score = StrictBoolean(load_default=False, metadata={"description": "Also return the anomaly scores."})
    confidence = StrictBoolean(
        load_default=False, metadata={"description": "Also return the confidences of the labels."}
    )
    explain = StrictBoolean(load_default=False, metadata={"description": EXPLAIN_DESCRIPTION})
    segment = Segment()


class MLflowRequest(Schema):
    """Rows in one of MLflow's forms."""

    dataframe_split = fields.Raw(
        metadata={
            "type": "object",
            "description": "`columns` and `data`, as `DataFrame.to_dict(orient='split')` returns; `index` is ignored.",
        }
    )
    dataframe_records = fields.Raw(metadata={"type": "array", "description": "Objects with the values by column."})
    instances = fields.Raw(metadata={"description": "Rows as lists or objects, or an object with a list per column."})
    inputs = fields.Raw(metadata={"description": "The same as `instances`."})
    params = fields.Nested(MLflowParameters, load_default=lambda: MLflowParameters().load({}))


class MLflowAnswer(Schema):
    """One prediction per row: a label, or an object with what ``params`` asked for."""

    predictions = fields.List(fields.Raw(), required=True, metadata={"description": "1 inlier, -1 outlier."})


@mlflow.post("/invocations")
@Operation(
    summary="Label many rows, in MLflow's forms.",
    description="`dataframe_split`, `dataframe_records`, `instances` or `inputs`, or CSV with a header. Columns may be "
    "in any order; rows without names are in the order of the model's features. With `params` `score` or `confidence`, "
    "each prediction is an object.",
    tag="predictions",
    request=MLflowRequest,
    answer=MLflowAnswer,
    refusals=(400, 413, 415, 422, *NO_MODEL),
    body_limit="max_batch_body_bytes",
    names_model=True,
    names_record=True,
)
def invoke() -> Response:
    """Label many rows."""
    with CountedPrediction() as counted:
        parts = service()
        bundle = counted.get_model()
        batch = _read_batch(bundle.features, parts.settings.max_batch_rows)
        answer = answer_batch(parts, request_ids(), bundle, batch)
        predictions: list[Any] = answer["is_inlier"]
        if batch.score or batch.confidence or batch.explain:
            predictions = [dict(zip(answer, values, strict=True)) for values in zip(*answer.values(), strict=True)]
        return name_record(answer_json({"predictions": predictions}), bundle)


@mlflow.get("/ping")
@Operation(
    summary="Rows can be labelled, for MLflow's clients.",
    description="An empty answer; 503 while there is no model.",
    tag="operation",
    is_for_monitoring=True,
    media_type=TEXT_MEDIA_TYPE,
    refusals=NO_MODEL,
    names_model=True,
)
def ping() -> Response:
    """Answer if predictions can be answered."""
    return name_model(Response("\n", mimetype=TEXT_MEDIA_TYPE), service().model.get())


def _read_batch(features: Features, max_rows: int) -> Batch:
    """Read the rows and what is asked for."""
    if request.mimetype == CSV_MEDIA_TYPE:
        rows = read_csv(read_body(request), features)
        check_number_of_rows(len(rows), max_rows)
        return Batch(to_array(rows, features))
    if request.mimetype != JSON_MEDIA_TYPE:
        raise NotARowsMediaType(f"Send the body as Content-Type: {JSON_MEDIA_TYPE} or {CSV_MEDIA_TYPE}.")
    body = load_body(read_json(request), MLflowRequest())
    given = [form for form in FORMS if form in body]
    if len(given) != 1:
        raise invalid_prediction({"": [f"expected exactly one of {', '.join(FORMS)}"]})
    rows = read_rows(given[0], body[given[0]], features, max_rows)
    return Batch(to_array(rows, features, given[0]), **body["params"])


def read_rows(form: str, value: Any, features: Features, max_rows: int) -> list[Any]:
    """Return the rows of one of MLflow's forms, with their values in the order of the features.

    Raises
    ------
    InvalidPredictionRequest
        If a column is missing or unknown, or the value has another form. Values are checked by ``to_array``.
    BodyTooLarge
        If there are more than ``max_rows``.

    Examples
    --------
    >>> features = Features(("mean", "sd"), (0, 0), (1, 1))
    >>> read_rows("dataframe_split", {"columns": ["sd", "mean"], "data": [[2, 0.5]]}, features, 10)
    [[0.5, 2]]
    >>> read_rows("inputs", {"sd": [2, 3], "mean": [0.5, 0.6]}, features, 10)
    [[0.5, 2], [0.6, 3]]
    """
    if form == _SPLIT:
        return _read_split(value, features, max_rows)
    if form != _RECORDS and isinstance(value, dict):
        return _read_columns(form, value, features, max_rows)
    if form == _RECORDS or (isinstance(value, list) and value and isinstance(value[0], dict)):
        return order_rows(value, features, max_rows, form)
    if not isinstance(value, list):
        raise invalid_prediction({form: [f"expected a list of rows, got {json_type(value)}"]})
    check_number_of_rows(len(value), max_rows)
    return value


def _read_split(value: Any, features: Features, max_rows: int) -> list[Any]:
    """Return the rows of a data frame that was split into columns and data."""
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise invalid_prediction({_SPLIT: ["expected an object with columns and data"]})
    rows: list[Any] = value["data"]
    check_number_of_rows(len(rows), max_rows)
    columns = value.get("columns")
    if columns is None:
        return rows
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise invalid_prediction({f"{_SPLIT}.columns": ["expected a list of names"]})
    order = _order_columns(columns, features, f"{_SPLIT}.columns")
    # Rows of another length are reported by `to_array`.
    return [
        [row[column] for column in order] if isinstance(row, list) and len(row) == len(order) else row for row in rows
    ]


def _read_columns(form: str, value: dict[str, Any], features: Features, max_rows: int) -> list[Any]:
    """Return the rows of an object with a list per column."""
    given = list(value)
    order = _order_columns(given, features, form)
    columns = {name: value[given[place]] for name, place in zip(features.names, order, strict=True)}
    for name, values in columns.items():
        if not isinstance(values, list):
            raise invalid_prediction({f"{form}.{name}": [f"expected a list of values, got {json_type(values)}"]})
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise invalid_prediction({form: [f"the columns have different numbers of values: {listed}"]})
    check_number_of_rows(next(iter(lengths.values())), max_rows)
    return [list(row) for row in zip(*columns.values(), strict=True)]


def _order_columns(columns: list[str], features: Features, place: str) -> list[int]:
    """Return the number of each feature's column; the columns are exactly the features, in any order."""
    order, problems = order_columns(columns, features)
    if problems:
        raise invalid_prediction({place: problems})
    return order
