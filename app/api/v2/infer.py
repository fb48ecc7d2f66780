"""``POST /v2/models/<name>[/versions/<version>]/infer``: label and score rows sent as tensors.

The schemas describe the message around the tensors; ``app.api.v2.tensors`` reads the numbers in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from app.api.operation import NO_MODEL, Operation
from app.api.service import CountedPrediction, Service, name_record, service
from app.api.v2.body import BINARY_MEDIA_TYPE, BinaryPart, Output, answer_tensors, read_tensor_body
from app.api.v2.tensors import read_rows
from app.errors import InvalidInferenceRequest, UnknownModel, join_errors
from app.model.bundle import Bundle
from app.model.schema import LARGEST_NUMBER, MAX_FEATURES
from app.web.fields import Segment, StrictBoolean
from app.web.middleware import RequestIds, request_ids
from app.web.validation import flatten_errors, json_type

# The group of the protocol's routes in the OpenAPI document.
TAG = "open inference protocol"

# The outputs of every model: its label and its score.
IS_INLIER, ANOMALY_SCORE = "is_inlier", "anomaly_score"
OUTPUTS = (IS_INLIER, ANOMALY_SCORE)

# Both can represent every number that a row may have.
DATATYPES = ("FP32", "FP64")

# Rows and columns.
_MAX_DIMENSIONS = 2

INFER_RULE = "/v2/models/<name>/infer"
VERSION_INFER_RULE = "/v2/models/<name>/versions/<version>/infer"

infer_route = Blueprint("infer", __name__)


class ShortList(fields.List[Any]):
    """A list of ``shortest`` to ``longest`` items, whose length is checked before any item is loaded.

    marshmallow's own ``Length`` checks a list after loading its items, which takes seconds for the millions of items
    that fit into a body.
    """

    def __init__(self, item: fields.Field[Any], longest: int, shortest: int = 1, **kwargs: Any) -> None:
        super().__init__(item, validate=validate.Length(min=shortest, max=longest), **kwargs)
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.longest:
            raise ValidationError(f"expected at most {self.longest} items, got {len(value)}")
        return super()._deserialize(value, attr, data, **kwargs)


class _LenientSchema(Schema):
    """Ignores unknown fields: the protocol allows clients to send more than a server knows."""

    class Meta:
        """Ignore unknown fields."""

        unknown = EXCLUDE

    @pre_load
    def drop_nulls(self, data: Any, **kwargs: Any) -> Any:
        """Treat null as absent: MLServer's clients send null for every field that they do not use."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class TensorData(fields.Raw):
    """A list whose items are checked later, all at once: a call per number would take longer than scoring."""

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


class InputParameters(_LenientSchema):
    """How an input is sent."""

    binary_data_size = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(min=0),
        metadata={"description": "Number of bytes of this input after the JSON part of the body, instead of `data`."},
    )


class InputTensor(_LenientSchema):
    """Rows, or one feature of them."""

    name = fields.String(required=True, metadata={"example": "rows"})
    shape = ShortList(
        fields.Integer(strict=True, validate=validate.Range(min=1)),
        _MAX_DIMENSIONS,
        required=True,
        metadata={
            "description": "[rows, features] for all features, [rows] or [rows, 1] for one.",
            "example": [1, 2],
        },
    )
    datatype = fields.String(required=True, validate=validate.OneOf(DATATYPES))
    parameters = fields.Nested(InputParameters, allow_none=True, load_default=dict)
    data = TensorData()


class OutputParameters(_LenientSchema):
    """Options of a requested output."""

    binary_data = StrictBoolean(
        allow_none=True,
        metadata={"description": "Whether it is sent as bytes after the JSON part of the answer, instead of `data`."},
    )


class RequestedOutput(_LenientSchema):
    """An output that the caller requests."""

    name = fields.String(required=True, validate=validate.OneOf(OUTPUTS))
    parameters = fields.Nested(OutputParameters, allow_none=True, load_default=dict)


class InferenceParameters(_LenientSchema):
    """Options of the whole request."""

    binary_data_output = StrictBoolean(
        allow_none=True,
        load_default=False,
        metadata={"description": "Default of `binary_data` of each output."},
    )
    segment = Segment(allow_none=True)


_INFERENCE_PARAMETERS = InferenceParameters()


class InferenceRequest(_LenientSchema):
    """Rows to score: one input of shape [rows, features], or one input for each feature, named like it."""

    id = fields.String(allow_none=True, metadata={"description": "Returned unchanged."})
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
        metadata={"description": "Both outputs, if absent or empty."},
    )


_SCHEMA = InferenceRequest()


def load_inference_request(body: object) -> dict[str, Any]:
    """Check a decoded body, except for the numbers in its tensors, and return its values.

    Parameters
    ----------
    body
        Any JSON value.

    Returns
    -------
    The fields of ``InferenceRequest``, with defaults; ``data`` is unchanged.

    Raises
    ------
    InvalidInferenceRequest
        With every mistake in its message.

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
        raise InvalidInferenceRequest(join_errors(flatten_errors(error.normalized_messages()))) from None
    return loaded


class AnsweredParameters(Schema):
    """How an output is sent."""

    binary_data_size = fields.Integer(
        metadata={"description": "Number of bytes of this output after the JSON part of the body, instead of `data`."}
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
    id = fields.String(metadata={"description": "The caller's id, if it sent one."})
    outputs = fields.List(fields.Nested(AnsweredOutput), required=True)


def check_model(bundle: Bundle, name: str, version: str | None) -> None:
    """Check that a request names the live model.

    Parameters
    ----------
    bundle
        The live model.
    name, version
        The model in the request; no version means any.

    Raises
    ------
    UnknownModel
        If the request names another model or version; the message names the live one.
    """
    if name != bundle.name:
        raise UnknownModel(f"There is no model {name!r}: the live one is {bundle.name!r}.")
    if version not in (None, bundle.version):
        raise UnknownModel(f"{name!r} has no version {version!r}: the live one is {bundle.version!r}.")


@infer_route.post(VERSION_INFER_RULE)
@infer_route.post(INFER_RULE)
@Operation(
    summary="Label and score rows.",
    description="`is_inlier` is 1 for an inlier and -1 for an outlier; `anomaly_score` is in [-1, 0]: the lower, the "
    "more abnormal. With the binary tensor data extension, `Inference-Header-Content-Length` is the length of the JSON "
    "part of the body, which the tensors follow: little endian, row after row.",
    tag=TAG,
    request=InferenceRequest,
    answer=InferenceAnswer,
    other_media_types=(BINARY_MEDIA_TYPE,),
    refusals=(400, 404, 413, 415, *NO_MODEL),
    body_limit="max_batch_body_bytes",
    names_model=True,
    names_record=True,
)
def infer(name: str, version: str | None = None) -> Response:
    """Label and score rows."""
    with CountedPrediction() as counted:
        bundle = counted.get_model()
        check_model(bundle, name, version)
        body, binary = read_tensor_body(request)
        answer, outputs = answer_inference(service(), request_ids(), bundle, load_inference_request(body), binary)
        return name_record(answer_tensors(answer, outputs), bundle)


def answer_inference(
    parts: Service, ids: RequestIds, bundle: Bundle, loaded: dict[str, Any], binary: BinaryPart
) -> tuple[dict[str, Any], list[Output]]:
    """Score, publish and count the rows of a request.

    Parameters
    ----------
    parts, ids, bundle
        The service, the ids of the request, and the model.
    loaded
        The request, from ``load_inference_request``.
    binary
        The bytes after its JSON.

    Returns
    -------
    The fields of the answer without its outputs, and the outputs.
    """
    rows = read_rows(loaded["inputs"], binary, bundle.features, parts.settings.max_batch_rows)
    scored = parts.score(ids, bundle, rows, loaded["parameters"]["segment"])
    values = {IS_INLIER: scored.labels, ANOMALY_SCORE: scored.scores}
    outputs = [(output, values[output], is_binary) for output, is_binary in _requested_outputs(loaded)]
    return _answer_without_outputs(bundle, loaded), outputs


def wants_binary(loaded: dict[str, Any]) -> bool:
    """Return whether any output is requested as bytes."""
    return any(is_binary for _, is_binary in _requested_outputs(loaded))


def _requested_outputs(loaded: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the names of the requested outputs, and whether each is sent as bytes."""
    default = loaded["parameters"]["binary_data_output"]
    requested = loaded["outputs"] or [{"name": name, "parameters": {}} for name in OUTPUTS]
    return [(output["name"], output["parameters"].get("binary_data", default)) for output in requested]


def _answer_without_outputs(bundle: Bundle, loaded: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the answer that name the model and repeat the caller's id."""
    answer = {"model_name": bundle.name, "model_version": bundle.version}
    return answer | ({"id": loaded["id"]} if "id" in loaded else {})
