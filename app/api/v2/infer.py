"""``POST /v2/models/<name>[/versions/<version>]/infer``: label and score rows sent as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from app.api.explanation import EXPLAIN, check_number_of_explained_rows
from app.api.operation import NO_MODEL, Operation
from app.api.service import CountedPrediction, Service, name_record, service
from app.api.v2.body import BINARY_MEDIA_TYPE, BinaryPart, Output, answer_tensors, read_tensor_body
from app.api.v2.inference_request import (
    ANOMALY_SCORE,
    CONTRIBUTIONS,
    EXPLANATION,
    IS_INLIER,
    OUTPUTS,
    InferenceRequest,
    load_inference_request,
)
from app.api.v2.tensors import read_rows
from app.errors import UnknownModel
from app.model.bundle import Bundle
from app.model.explained_rows import explain_rows
from app.model.scoring import Unfamiliar
from app.web.middleware import RequestIds, request_ids

# The group of the protocol's routes in the OpenAPI document.
TAG = "open inference protocol"

# The parameter of an answer with unfamiliar values.
UNFAMILIAR = "unfamiliar"

INFER_RULE = "/v2/models/<name>/infer"
VERSION_INFER_RULE = "/v2/models/<name>/versions/<version>/infer"

infer_route = Blueprint("infer", __name__)


class AnsweredParameters(Schema):
    """How an output is sent."""

    binary_data_size = fields.Integer(
        metadata={"description": "Number of bytes of this output after the JSON part of the body, instead of `data`."}
    )


class AnsweredOutput(Schema):
    """The labels, the scores or the explanations of all rows."""

    name = fields.String(required=True, validate=validate.OneOf((*OUTPUTS, CONTRIBUTIONS, EXPLANATION)))
    datatype = fields.String(required=True, validate=validate.OneOf(("INT64", "FP64", "BYTES")))
    shape = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "[rows]; [rows, features] for contributions", "example": [1]},
    )
    parameters = fields.Nested(AnsweredParameters)
    data = fields.List(
        fields.Raw(metadata={"type": ["number", "string"]}),
        metadata={"description": "Row after row; texts only in `explanation`.", "example": [1]},
    )


class AnswerParameters(Schema):
    """What else is to be known about the rows."""

    unfamiliar = fields.String(
        metadata={
            "description": "A JSON text: by number of the row and column, why a value is unlike those in training.",
            "example": '{"0":{"mean":"above training range"}}',
        }
    )


class InferenceAnswer(Schema):
    """Labels and scores, each in an output of its own."""

    model_name = fields.String(required=True)
    model_version = fields.String(required=True)
    id = fields.String(metadata={"description": "The caller's id, if it sent one."})
    parameters = fields.Nested(AnswerParameters)
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
    refusals=(400, 404, 413, 415, 422, *NO_MODEL),
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
    explainer = bundle.explainer if loaded["parameters"][EXPLAIN] else None
    if explainer is not None:
        check_number_of_explained_rows(len(rows))
    scored = parts.score(ids, bundle, rows, loaded["parameters"]["segment"])
    values = {IS_INLIER: scored.labels, ANOMALY_SCORE: scored.scores}
    outputs: list[Output] = [(output, values[output], is_binary) for output, is_binary in _requested_outputs(loaded)]
    if explainer is not None:
        explained = explain_rows(explainer, scored.rows, scored.scores)
        is_binary = loaded["parameters"]["binary_data_output"]
        contributions = np.array([list(fields["contributions"].values()) for fields in explained])
        texts = np.array([msgspec.json.encode(fields).decode() for fields in explained], object)
        outputs += [(CONTRIBUTIONS, contributions, is_binary), (EXPLANATION, texts, is_binary)]
    answer = answer_without_outputs(bundle, loaded)
    if scored.unfamiliar:
        answer["parameters"] = {UNFAMILIAR: describe_unfamiliar(scored.unfamiliar)}
    return answer, outputs


def describe_unfamiliar(found: Mapping[int, Unfamiliar]) -> str:
    """Return unfamiliar values by row and column as a JSON text: parameters of the protocol cannot be objects."""
    return msgspec.json.encode({str(place): values for place, values in found.items()}).decode()


def wants_binary(loaded: dict[str, Any]) -> bool:
    """Return whether any output is requested as bytes."""
    return any(is_binary for _, is_binary in _requested_outputs(loaded))


def _requested_outputs(loaded: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the names of the requested outputs, and whether each is sent as bytes."""
    default = loaded["parameters"]["binary_data_output"]
    requested = loaded["outputs"] or [{"name": name, "parameters": {}} for name in OUTPUTS]
    return [(output["name"], output["parameters"].get("binary_data", default)) for output in requested]


def answer_without_outputs(bundle: Bundle, loaded: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the answer that name the model and repeat the caller's id."""
    answer = {"model_name": bundle.name, "model_version": bundle.version}
    return answer | ({"id": loaded["id"]} if "id" in loaded else {})
