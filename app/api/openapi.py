"""The OpenAPI document: built from the declarations on the views, for the features of the live model."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from app.api.operation import HTML_MEDIA_TYPE, BodySchema, Operation, RawSchema, Route, reference_to
from app.api.v2.body import BINARY_MEDIA_TYPE, JSON_LENGTH_HEADER
from app.model.schema import LARGEST_NUMBER, Features
from app.web.auth import KEY_HEADER
from app.web.codecs import JSON_MEDIA_TYPE
from app.web.fields import FeatureVector, FeatureVectors
from app.web.key_file import PREDICT
from app.web.named_rows import NAMED_ROW, NAMED_ROWS
from app.web.problems import PROBLEM_MEDIA_TYPE, Problem, ProtocolError, is_protocol_path
from app.web.row_formats import describe_text_formats

# The version of the interface, not of the software: raised when an answer changes in a way that callers notice.
API_VERSION = "1.0.0"

# In the order in which people need them.
TAGS = ("predictions", "records", "model", "operation", "pages", "open inference protocol")

# Stands for the features while there is no model; a row may then have any length.
_UNKNOWN_FEATURES = Features(("feature",), (0.0,), (1.0,))

# The old and the new model, while one replaces the other, and none.
_DOCUMENTS_AT_ONCE = 3

# Enough digits to look like a real row, few enough to read.
_EXAMPLE_DIGITS = 4

_NO_CONTENT = 204

_KEY_SCHEME = "apiKey"
_KEY = {
    "type": "apiKey",
    "in": "header",
    "name": KEY_HEADER,
    "description": "A key in `API_KEYS_FILE` or `FEEDBACK_API_KEYS_FILE` whose role the route needs. Without such "
    "files, only callers on the service's own host may use records, without a key. Predictions need a key only if one "
    "has the role `predict`.",
}

_PATH_PARAMETERS = {
    "name": "The model's name.",
    "version": "A version of the model.",
    "request_id": "The `X-Request-ID` or `X-Record-ID` of an answer.",
    "record_id": "The `X-Record-ID` of an answer.",
}

_TEXT = {"type": "string"}
_NUMBER = {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
_BYTES = {BINARY_MEDIA_TYPE: {"type": "string", "format": "binary"}}

_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The id of the request: the caller's if it sent a valid one (1 to 128 visible ASCII "
        "characters), else a new one, and then `X-Request-ID-Refused` says so.",
        "schema": _TEXT,
    }
}
_MODEL_VERSION = {"X-Model-Version": {"description": "The model version that answered.", "schema": _TEXT}}
_RECORD_ID = {
    "X-Record-ID": {
        "description": "The id under which the answer is recorded if it is sampled; always unique.",
        "schema": _TEXT,
    },
}
_JSON_LENGTH = {
    JSON_LENGTH_HEADER: {
        "description": "The length of the JSON part of the body; without it, the whole body is JSON.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


@lru_cache(maxsize=_DOCUMENTS_AT_ONCE)
def build_openapi(routes: tuple[Route, ...], features: Features | None, max_batch_rows: int) -> dict[str, Any]:
    """Return the document that describes the service.

    Parameters
    ----------
    routes
        The declared routes.
    features
        The live model's features; None while there is no model.
    max_batch_rows
        Maximum number of rows in one request.
    """
    plugin = MarshmallowPlugin()
    document = APISpec(
        title="Isowatch",
        version=API_VERSION,
        openapi_version="3.1.0",
        # Relative to the document, so that the page's requests find the service behind a proxy that adds a prefix.
        servers=[{"url": ".", "description": "this service"}],
        info={"description": "Serves an Isolation Forest that labels rows, and monitors it."},
        tags=[{"name": tag} for tag in TAGS],
        plugins=[plugin],
    )
    assert plugin.converter is not None, "APISpec has just set it"
    plugin.converter.add_attribute_function(_describe_feature_vector)  # type: ignore[no-untyped-call]
    document.components.security_scheme(_KEY_SCHEME, _KEY)
    components = _Components(document, features or _UNKNOWN_FEATURES, max_batch_rows)
    for schema in (Problem, ProtocolError):
        components.refer_to(schema)
    forms = describe_text_formats(features) | _BYTES
    for path, method, operation in routes:
        described = _describe_operation(path, method, operation, components, forms)
        document.path(path, operations={method.lower(): described})
    built: dict[str, Any] = document.to_dict()
    return built


class _Components:
    """The schemas in the document, each added when it is first referred to."""

    def __init__(self, document: APISpec, features: Features, max_batch_rows: int) -> None:
        self._document, self._features, self._max_batch_rows = document, features, max_batch_rows

    def refer_to(self, source: BodySchema) -> dict[str, Any]:
        """Return a reference to a schema."""
        if isinstance(source, RawSchema):
            self._add(source.name, source.schema)
            for used in source.uses:
                self.refer_to(used)
            return reference_to(source.name)
        schema = source() if isinstance(source, type) else source(self._features, self._max_batch_rows)
        self._add(type(schema).__name__, schema)
        return reference_to(type(schema).__name__)

    def _add(self, name: str, schema: Schema | dict[str, Any]) -> None:
        """Add a schema unless the document has it."""
        if name in self._document.components.schemas:
            return
        if isinstance(schema, dict):
            self._document.components.schema(name, schema)
        else:
            self._document.components.schema(name, schema=schema)
            for field_name, field in schema.fields.items():
                if isinstance(field, FeatureVector | FeatureVectors):
                    _add_named_form(self._document.components.schemas[name], field_name, field)


def _describe_operation(
    path: str, method: str, operation: Operation, components: _Components, forms: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the description of one operation; ``forms`` holds the schemas of bodies that are not JSON."""
    described: dict[str, Any] = {
        "operationId": method.lower() + re.sub(r"\W+", "_", path.rstrip("}")),
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "responses": {str(operation.success): _describe_answer(operation, components)}
        | {
            str(status): _describe_refusal(path, status) for status in operation.statuses if status != operation.success
        },
    }
    if operation.request is not None:
        content = {JSON_MEDIA_TYPE: {"schema": components.refer_to(operation.request)}}
        content |= {media_type: {"schema": forms[media_type]} for media_type in operation.other_media_types}
        described["requestBody"] = {"required": operation.needs_body, "content": content}
    if operation.required_role:
        # An empty entry stands for no key.
        described["security"] = [{_KEY_SCHEME: []}] + ([{}] if operation.required_role == PREDICT else [])
    if operation.is_deprecated:
        described["deprecated"] = True
    if parameters := _describe_parameters(path, operation):
        described["parameters"] = parameters
    return described


def _describe_parameters(path: str, operation: Operation) -> list[dict[str, Any]]:
    """Return the parameters in the path, in the query and in the headers."""
    in_path = [
        {"name": name, "in": "path", "required": True, "description": _PATH_PARAMETERS[name]}
        | {"schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    in_query = [
        {"name": parameter.name, "in": "query", "description": parameter.description, "schema": parameter.schema}
        for parameter in operation.query
    ]
    in_headers = [{"name": name, "in": "header", **header} for name, header in _headers_of_tensors(operation).items()]
    return in_path + in_query + in_headers


def _describe_answer(operation: Operation, components: _Components) -> dict[str, Any]:
    """Return the description of a successful answer."""
    if operation.answer is not None:
        schema = components.refer_to(operation.answer)
    else:
        schema = {} if operation.media_type == JSON_MEDIA_TYPE else _TEXT
    content = {operation.media_type: {"schema": schema}} if operation.success != _NO_CONTENT else {}
    others = (*operation.other_media_types, *([HTML_MEDIA_TYPE] if operation.page else []))
    content |= {media_type: {"schema": _BYTES.get(media_type, _TEXT)} for media_type in others}
    headers = _REQUEST_ID | (_MODEL_VERSION if operation.names_model else {})
    headers |= _RECORD_ID if operation.names_record else {}
    return {"description": operation.summary, "content": content, "headers": headers | _headers_of_tensors(operation)}


def _describe_refusal(path: str, status: int) -> dict[str, Any]:
    """Return the description of one refusal."""
    media_type, schema = (JSON_MEDIA_TYPE, ProtocolError) if is_protocol_path(path) else (PROBLEM_MEDIA_TYPE, Problem)
    content = {media_type: {"schema": reference_to(schema.__name__)}}
    return {"description": HTTPStatus(status).phrase, "content": content, "headers": _REQUEST_ID}


def _headers_of_tensors(operation: Operation) -> dict[str, Any]:
    """Return the header of bodies in which the bytes of tensors follow JSON, for operations that take them."""
    return _JSON_LENGTH if BINARY_MEDIA_TYPE in operation.other_media_types else {}


def _describe_feature_vector(self: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    """Return the length and the range of a row; apispec calls this for every field."""
    if isinstance(field, FeatureVectors):
        row = _describe_row(field.features)
        return {"type": "array", "items": row, "minItems": 1, "maxItems": field.max_rows, "example": [row["example"]]}
    return _describe_row(field.features) if isinstance(field, FeatureVector) else {}


def _add_named_form(component: dict[str, Any], field_name: str, field: FeatureVector | FeatureVectors) -> None:
    """Add the field that holds the same values by name to the schema of a request; exactly one of both is required."""
    names = field.features.names
    by_name: dict[str, Any] = {
        "type": "object",
        "description": "The values by column, in any order.",
        "properties": {name: _describe_value(field.features, place) for place, name in enumerate(names)},
        "required": list(names),
        "additionalProperties": False,
    }
    if field.features is _UNKNOWN_FEATURES:
        by_name = {"type": "object", "description": "The values by column."}
    named = NAMED_ROW
    if isinstance(field, FeatureVectors):
        named, by_name = NAMED_ROWS, {"type": "array", "items": by_name, "minItems": 1, "maxItems": field.max_rows}
    component["properties"][named] = by_name
    # By default, Swagger UI sends an example of every field.
    component["example"] = {field_name: component["properties"][field_name]["example"]}
    component["oneOf"] = [{"required": [field_name]}, {"required": [named]}]
    component["required"] = [name for name in component["required"] if name != field_name]
    if not component["required"]:
        del component["required"]


def _describe_value(features: Features, place: int) -> dict[str, Any]:
    """Return the schema of the value of a column."""
    levels = features.levels[place] if features.levels else None
    value = _NUMBER if levels is None else {"type": "boolean" if type(levels[0]) is bool else "string"}
    return value | {"type": [value["type"], "null"]} if features.may_be_missing(place) else value


def _give_example(features: Features, place: int) -> Any:
    """Return an ordinary value of a column."""
    if features.levels and (levels := features.levels[place]):
        return levels[0]
    return float(f"{(features.low[place] + features.high[place]) / 2:.{_EXAMPLE_DIGITS}g}")


def _describe_row(features: Features) -> dict[str, Any]:
    """Return the schema of one row."""
    values = [_describe_value(features, place) for place in range(len(features))]
    are_alike = all(value == values[0] for value in values)
    row: dict[str, Any] = {
        "type": "array",
        **({"items": values[0]} if are_alike else {"prefixItems": values, "items": False}),
        "minItems": len(features),
        "maxItems": len(features),
        "example": [_give_example(features, place) for place in range(len(features))],
    }
    if features is _UNKNOWN_FEATURES:
        del row["maxItems"]
        row["description"] = "One number per feature of the model."
    return row
