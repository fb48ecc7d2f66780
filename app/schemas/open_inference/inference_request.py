"""What ``POST /v2/models/<name>/infer`` takes: the frame around the tensors, not the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from app.errors import InvalidInferenceRequest
from app.model.features import LARGEST_NUMBER, MAX_FEATURES
from app.schemas.named_places import name_places
from app.schemas.open_inference.short_list import ShortList
from app.schemas.row_problems import json_type
from app.schemas.segment import Segment
from app.schemas.strict_fields import StrictBoolean

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
