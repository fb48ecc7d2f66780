"""One operation as the OpenAPI document lays it out."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from app.api.v2.body import BINARY_MEDIA_TYPE, JSON_LENGTH_HEADER
from app.web.operations import JSON, Operation
from app.web.problems import PROBLEM_MEDIA_TYPE, is_of_protocol

# Of the interface, not of the software: raised when an answer changes in a way that callers notice.
API_VERSION = "1.0.0"

_TEXT = {"schema": {"type": "string"}}

_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The caller's id of the request, if it sent a sane one, else a new one.",
        "schema": {"type": "string"},
    }
}
_MODEL_VERSION = {
    "X-Model-Version": {"description": "The version that answered.", "schema": {"type": "string"}},
}

_RECORD_ID = {
    "X-Record-ID": {
        "description": "The id under which the answer is recorded, if it is: unlike the caller's, always unique.",
        "schema": {"type": "string"},
    },
}

# The name of the security scheme in the document, for operations that need a key.
KEY_SCHEME = "feedbackKey"

_PATH_PARAMETERS = {
    "name": "The model's name.",
    "version": "The live version.",
    "request_id": "What an answer gave as `X-Request-ID`, or as `X-Record-ID`.",
}
_JSON_LENGTH = {
    JSON_LENGTH_HEADER: {
        "description": "Where the JSON part of the body ends; without it the body is all JSON.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_BYTES = {BINARY_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}


def describe_operation(operation: Operation, texts: dict[str, Any]) -> dict[str, Any]:
    """Lay out one operation.

    Parameters
    ----------
    operation
        The route and method.
    texts
        Schemas of the forms other than JSON in which rows may come, by media type.
    """
    described: dict[str, Any] = {
        "operationId": operation.method + re.sub(r"\W+", "_", operation.path.rstrip("}")),
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "responses": {str(operation.success): _answer(operation)}
        | {str(status): _refusal(operation, status) for status in (*operation.refusals, 500)},
    }
    if operation.request:
        forms = {name: {"schema": texts[name]} for name in operation.texts} | (
            _BYTES if operation.takes_tensors else {}
        )
        content = {JSON: {"schema": reference(operation.request)}} | forms
        described["requestBody"] = {"required": True, "content": content}
    if operation.needs_key:
        described["security"] = [{KEY_SCHEME: []}]
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    """Describe what stands in the path, behind it, and in a header of the request."""
    in_path = [
        {"name": name, "in": "path", "required": True, "description": _PATH_PARAMETERS[name]}
        | {"schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    in_query = [
        {"name": asked.name, "in": "query", "description": asked.meaning, "schema": asked.schema}
        for asked in operation.query
    ]
    headers = _JSON_LENGTH if operation.takes_tensors else {}
    return in_path + in_query + [{"name": name, "in": "header", **header} for name, header in headers.items()]


def _answer(operation: Operation) -> dict[str, Any]:
    """Describe what a route gives when all is well."""
    described = reference(operation.answer) if operation.answer else {}
    if not described and operation.media_type != JSON:
        described = {"type": "string"}
    forms = dict.fromkeys(operation.texts, _TEXT) | (_BYTES if operation.takes_tensors else {})
    headers = _REQUEST_ID | (_MODEL_VERSION if operation.names_model else {})
    headers |= _RECORD_ID if operation.names_record else {}
    return {
        "description": operation.summary,
        "content": {operation.media_type: {"schema": described}} | forms,
        "headers": headers | (_JSON_LENGTH if operation.takes_tensors else {}),
    }


def _refusal(operation: Operation, status: int) -> dict[str, Any]:
    """Describe one way to refuse."""
    media_type, schema = (JSON, "ProtocolError") if is_of_protocol(operation.path) else (PROBLEM_MEDIA_TYPE, "Problem")
    content = {media_type: {"schema": reference(schema)}}
    return {"description": HTTPStatus(status).phrase, "content": content, "headers": _REQUEST_ID}


def reference(schema: str) -> dict[str, Any]:
    """Point to a schema."""
    return {"$ref": f"#/components/schemas/{schema}"}
