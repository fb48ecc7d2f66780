"""The schema of an inference request: the message around the tensors, whose numbers ``app.api.v2.tensors`` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from app.errors import InvalidInferenceRequest, join_errors
from app.model.schema import LARGEST_NUMBER, MAX_FEATURES
from app.web.fields import Segment, StrictBoolean
from app.web.validation import flatten_errors, json_type

# The outputs of every model: its label and its score.
IS_INLIER, ANOMALY_SCORE = "is_inlier", "anomaly_score"
OUTPUTS = (IS_INLIER, ANOMALY_SCORE)

# The outputs that the parameter `explain` adds: a number per feature, and all of /prediction's fields as a JSON text.
CONTRIBUTIONS, EXPLANATION = "contributions", "explanation"

# The types of numbers, and those of booleans and texts.
NUMBER_TYPES = (
    "FP16",
    "FP32",
    "FP64",
    *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
)
BOOL, BYTES = "BOOL", "BYTES"
DATATYPES = (*NUMBER_TYPES, BOOL, BYTES)

# Rows and columns.
_MAX_DIMENSIONS = 2


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
        value = {"type": ["number", "string", "boolean", "null"], "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
        described = {
            "type": ["array", "null"],
            "items": {"anyOf": [value, {"type": "array", "items": value}]},
            "description": "Values, row after row, flat or as a list of rows; null for a missing one.",
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
    explain = StrictBoolean(
        allow_none=True,
        load_default=False,
        metadata={
            "description": f"Whether to add the outputs `{CONTRIBUTIONS}`, a number per feature, and `{EXPLANATION}`, "
            "a JSON text with the fields that explain a row in the answer of `/prediction`."
        },
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
    >>> load_inference_request({"inputs": [tensor | {"datatype": "BF16"}]})
    Traceback (most recent call last):
    app.errors.InvalidInferenceRequest: inputs[0].datatype: Must be one of: FP16, FP32, FP64, INT8, ...
    """
    if not isinstance(body, dict):
        raise InvalidInferenceRequest(f"expected an object with inputs, got {json_type(body)}")
    try:
        loaded: dict[str, Any] = _SCHEMA.load(body)
    except ValidationError as error:
        raise InvalidInferenceRequest(join_errors(flatten_errors(error.normalized_messages()))) from None
    return loaded
