"""``POST /v2/models/<name>[/versions/<version>]/infer``: tensors in, labels and scores out.

A list whose length is checked before anything in it is looked at.

What ``POST /v2/models/<name>/infer`` takes: the frame around the tensors, not the numbers in them.

What ``POST /v2/models/<name>/infer`` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from app.api.scoring import CountedPrediction, name_prediction
from app.api.service import service
from app.api.v2.body import answer_tensors, read_tensor_body
from app.api.v2.tensors import read_rows
from app.errors import InvalidInferenceRequest, UnknownModel
from app.model.bundle import Bundle
from app.model.schema import LARGEST_NUMBER, MAX_FEATURES
from app.web.fields import Segment, StrictBoolean
from app.web.validation import json_type, name_places


class ShortList(fields.List[Any]):
    """A list of ``shortest`` to ``longest`` items.

    marshmallow's own ``Length`` looks at a list after each of its items was loaded, which takes seconds for the
    millions of items that fit into a body.
    """

    def __init__(self, item: fields.Field[Any], longest: int, shortest: int = 1, **kwargs: Any) -> None:
        super().__init__(item, validate=validate.Length(min=shortest, max=longest), **kwargs)
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.longest:
            raise ValidationError(f"expected at most {self.longest} items, got {len(value)}")
        return super()._deserialize(value, attr, data, **kwargs)


# The outputs of every model: its label and its score.
IS_INLIER, ANOMALY_SCORE = "is_inlier", "anomaly_score"
OUTPUTS = (IS_INLIER, ANOMALY_SCORE)

# Both hold every number that a row may have.
DATATYPES = ("FP32", "FP64")

# Rows and columns.
_MOST_DIMENSIONS = 2


class _Lenient(Schema):
    """The protocol lets clients send what a server does not know, in ``parameters`` above all."""

    class Meta:
        """What is unknown is left out."""

        unknown = EXCLUDE

    @pre_load
    def leave_out_nulls(self, data: Any, **kwargs: Any) -> Any:
        """Take null for absent: MLServer's clients write out everything that they know and do not use."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class TensorData(fields.Raw):
    """A list whose items are checked later, all at once: one call for each number would take longer than scoring."""

    def __init__(self) -> None:
        number = {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
        described = {
            "type": ["array", "null"],
            "items": {"anyOf": [number, {"type": "array", "items": number}]},
            "description": "Numbers, row after row, flat or as a list of rows.",
            "example": [0.56, 0.23],
        }
        super().__init__(metadata=described)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError(f"expected a list of numbers, got {json_type(value)}")
        return value


class InputParameters(_Lenient):
    """How an input is sent."""

    binary_data_size = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(min=0),
        metadata={"description": "The input's bytes after the JSON part of the body, instead of `data`."},
    )


class InputTensor(_Lenient):
    """Rows, or one feature of them."""

    name = fields.String(required=True, metadata={"example": "rows"})
    shape = ShortList(
        fields.Integer(strict=True, validate=validate.Range(min=1)),
        _MOST_DIMENSIONS,
        required=True,
        metadata={
            "description": "[rows, features] for all features, [rows] or [rows, 1] for one.",
            "example": [1, 2],
        },
    )
    datatype = fields.String(required=True, validate=validate.OneOf(DATATYPES))
    parameters = fields.Nested(InputParameters, allow_none=True, load_default=dict)
    data = TensorData()


class OutputParameters(_Lenient):
    """How an output is wanted."""

    binary_data = StrictBoolean(
        allow_none=True, metadata={"description": "After the JSON part of the answer, in place of `data`."}
    )


class RequestedOutput(_Lenient):
    """An output that the caller wants."""

    name = fields.String(required=True, validate=validate.OneOf(OUTPUTS))
    parameters = fields.Nested(OutputParameters, allow_none=True, load_default=dict)


class InferenceParameters(_Lenient):
    """How everything is wanted, and who asks."""

    binary_data_output = StrictBoolean(
        allow_none=True,
        load_default=False,
        metadata={"description": "`binary_data` of the outputs that say nothing of it."},
    )
    segment = Segment(allow_none=True)


_INFERENCE_PARAMETERS = InferenceParameters()


class InferenceRequest(_Lenient):
    """Rows to score: one input of shape [rows, features], or one input for each feature, named like it."""

    id = fields.String(allow_none=True, metadata={"description": "Given back."})
    parameters = fields.Nested(
        InferenceParameters, allow_none=True, load_default=lambda: _INFERENCE_PARAMETERS.load({})
    )
    inputs = ShortList(fields.Nested(InputTensor), MAX_FEATURES, required=True)
    outputs = ShortList(
        fields.Nested(RequestedOutput),
        len(OUTPUTS),
        shortest=0,
        allow_none=True,
        load_default=list,
        metadata={"description": "Both outputs, if left out or empty."},
    )


_SCHEMA = InferenceRequest()


def load_inference_request(body: object) -> dict[str, Any]:
    """Check the frame of a decoded body.

    Parameters
    ----------
    body
        Any JSON value.

    Returns
    -------
    As ``InferenceRequest`` says, with defaults; what is in ``data`` is as it came.

    Raises
    ------
    InvalidInferenceRequest
        With everything that is wrong.

    Examples
    --------
    >>> tensor = {"name": "rows", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 2]}
    >>> load_inference_request({"inputs": [tensor], "id": "7"})["outputs"]
    []
    >>> load_inference_request({"inputs": [tensor | {"datatype": "BYTES"}]})
    Traceback (most recent call last):
    app.errors.InvalidInferenceRequest: inputs[0].datatype: Must be one of: FP32, FP64.
    """
    if not isinstance(body, dict):
        raise InvalidInferenceRequest(f"expected an object with inputs, got {json_type(body)}")
    try:
        loaded: dict[str, Any] = _SCHEMA.load(body)
    except ValidationError as error:
        errors = name_places(error.normalized_messages())
        raise InvalidInferenceRequest("; ".join(f"{e['field']}: {e['message']}" for e in errors)) from None
    return loaded


class AnsweredParameters(Schema):
    """How an output is given."""

    binary_data_size = fields.Integer(
        metadata={"description": "The output's bytes after the JSON part of the body, instead of `data`."}
    )


class AnsweredOutput(Schema):
    """The labels or the scores of all rows."""

    name = fields.String(required=True, validate=validate.OneOf(OUTPUTS))
    datatype = fields.String(required=True, validate=validate.OneOf(("INT64", "FP64")))
    shape = fields.List(fields.Integer(), required=True, metadata={"description": "[rows]", "example": [1]})
    parameters = fields.Nested(AnsweredParameters)
    data = fields.List(fields.Float(), metadata={"example": [1]})


class InferenceAnswer(Schema):
    """Labels and scores, each in an output of its own."""

    model_name = fields.String(required=True)
    model_version = fields.String(required=True)
    id = fields.String(metadata={"description": "The caller's; only if it sent one."})
    outputs = fields.List(fields.Nested(AnsweredOutput), required=True)


infer_route = Blueprint("infer", __name__)


def check_model(bundle: Bundle, name: str, version: str | None) -> None:
    """Make sure that a request is about the live model.

    Parameters
    ----------
    bundle
        The live model.
    name, version
        What the request asks for; no version means any.

    Raises
    ------
    UnknownModel
        If it asks for another model, or another version of it; the message names the live one.
    """
    if name != bundle.name:
        raise UnknownModel(f"There is no model {name!r}: the live one is {bundle.name!r}.")
    if version not in (None, bundle.version):
        raise UnknownModel(f"{name!r} has no version {version!r}: the live one is {bundle.version!r}.")


@infer_route.post("/v2/models/<name>/infer")
@infer_route.post("/v2/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    """Score rows."""
    settings = service().settings
    with CountedPrediction() as counted:
        bundle = counted.take_model()
        check_model(bundle, name, version)
        request.max_content_length = settings.max_batch_body_bytes
        body, binary = read_tensor_body(request)
        asked = load_inference_request(body)
        rows = read_rows(asked["inputs"], binary, bundle.features, settings.max_batch_rows)
        scored = counted.score(bundle, rows, asked["parameters"]["segment"])
        values = {IS_INLIER: scored.labels, ANOMALY_SCORE: scored.scores}
        outputs = [(wanted, values[wanted], is_binary) for wanted, is_binary in _wanted_outputs(asked)]
        return name_prediction(answer_tensors(_frame(bundle, asked), outputs), bundle)


def _wanted_outputs(asked: dict[str, Any]) -> list[tuple[str, bool]]:
    """List the names of the wanted outputs, and whether each is wanted as bytes."""
    otherwise = asked["parameters"]["binary_data_output"]
    requested = asked["outputs"] or [{"name": name, "parameters": {}} for name in OUTPUTS]
    return [(output["name"], output["parameters"].get("binary_data", otherwise)) for output in requested]


def _frame(bundle: Bundle, asked: dict[str, Any]) -> dict[str, Any]:
    """Say who answers what."""
    frame = {"model_name": bundle.name, "model_version": bundle.version}
    return frame | ({"id": asked["id"]} if "id" in asked else {})
