"""The declaration on each view: what it accepts and returns, which statuses it can answer, and its body limit.

The OpenAPI document, the metric series that exist from the start, the body limits and the links on the page all come
from these declarations.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal, NamedTuple, TypeVar

from flask import Flask, Request, current_app, request
from marshmallow import Schema, fields
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.utils import cached_property

from app.api.service import service
from app.errors import FieldError, InvalidQuery
from app.model.schema import Features
from app.settings import Settings
from app.web.codecs import JSON_MEDIA_TYPE
from app.web.key_file import PREDICT
from app.web.query import QueryParameter

HTML_MEDIA_TYPE, TEXT_MEDIA_TYPE = "text/html", "text/plain"

# What a route can answer because there is no model, or because records are unavailable.
NO_MODEL = NO_RECORDS = (503,)

# What app.api.access can answer before the view runs: to another host name, and to a caller without the right key.
_WRONG_HOST, _NO_ROLE = (403,), (401, 403, 429)

_ATTRIBUTE = "__operation__"

# Flask adds these methods to every GET route.
_IMPLICIT_METHODS = {"HEAD", "OPTIONS"}

# Methods whose views read no body.
_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class RawSchema:
    """A component of the OpenAPI document that marshmallow cannot express.

    Parameters
    ----------
    name
        Its name in the document.
    schema
        Its JSON Schema.
    uses
        The marshmallow schemas that it refers to.
    """

    name: str
    schema: dict[str, Any]
    uses: tuple[type[Schema], ...]


# A schema, or a function that builds it for a model's features and the maximum number of rows.
BodySchema = type[Schema] | RawSchema | Callable[[Features, int], Schema]


@dataclass(frozen=True, eq=False)
class Operation:
    """What one view accepts and returns; used as a decorator below the route.

    Parameters
    ----------
    summary, description
        One line, and what else a caller wants to know.
    tag
        The group in which ``/docs`` shows it.
    request
        The schema of the body; None if it takes no body.
    needs_body
        Whether the body may not be left out.
    answer
        The schema of a successful answer; None if no schema describes it.
    media_type
        Of the answer.
    other_media_types
        Other media types of body and answer.
    query
        The query parameters.
    success
        The status of a successful answer.
    refusals
        The statuses of refusals, except 500, which every route can answer.
    body_limit
        The setting that limits the length of the body.
    names_model
        Whether a successful answer has ``X-Model-Version``.
    names_record
        Whether a successful answer has ``X-Record-ID``.
    role
        The role of callers that may use it: a route that reads records needs ``viewer``, one that changes them
        ``labeller``, and one that scores rows always needs ``predict``. Such routes also refuse pages of other sites.
    refuses_other_sites
        Whether it refuses pages of other sites although it needs no role.
    page
        What browsers get instead, under the same address, where the console is on: a template of ``app.console``.
    is_for_monitoring
        Whether it answers under every host name: monitoring systems use addresses of their own, and the answer reveals
        nothing about rows.
    is_deprecated
        Whether a later release will not have it.

    Examples
    --------
    >>> @Operation(summary="Return a greeting.", description="A string.", tag="pages", refusals=(503,))
    ... def hello() -> str:
    ...     return "hello"
    >>> operation_of(hello).statuses
    (200, 403, 503, 500)
    """

    summary: str
    description: str
    tag: str
    request: BodySchema | None = None
    needs_body: bool = True
    answer: BodySchema | None = None
    media_type: str = JSON_MEDIA_TYPE
    other_media_types: tuple[str, ...] = ()
    query: tuple[QueryParameter[Any], ...] = ()
    success: int = 200
    refusals: tuple[int, ...] = ()
    body_limit: Literal["max_body_bytes", "max_batch_body_bytes"] = "max_body_bytes"
    names_model: bool = False
    names_record: bool = False
    role: str = ""
    refuses_other_sites: bool = False
    page: str = ""
    is_for_monitoring: bool = False
    is_deprecated: bool = False

    def __call__(self, view: View) -> View:
        """Attach this declaration to a view."""
        setattr(view, _ATTRIBUTE, self)
        return view

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status that a request can be answered with."""
        by_access = _NO_ROLE if self.required_role else () if self.is_for_monitoring else _WRONG_HOST
        return (self.success, *sorted({*self.refusals, *by_access}), 500)

    @property
    def required_role(self) -> str:
        """The role of callers that may use it; empty if everybody may."""
        return self.role or (PREDICT if self.names_record else "")

    def max_body_bytes(self, settings: Settings) -> int:
        """Return the maximum length of the body."""
        limit: int = getattr(settings, self.body_limit)
        return limit


class Route(NamedTuple):
    """One path and method, and the declaration on its view; ``path`` has parameters in braces, as in OpenAPI."""

    path: str
    method: str
    operation: Operation


class LimitedRequest(Request):
    """A request whose maximum length comes from the declaration on its view."""

    @property  # type: ignore[misc] # nobody sets it
    def max_content_length(self) -> int | None:  # type: ignore[override]
        """The maximum length of the body in bytes."""
        operation = operation_of(current_app.view_functions.get(self.endpoint or ""))
        if operation is None:  # a static file or an unknown path
            default: int | None = current_app.config["MAX_CONTENT_LENGTH"]
            return default
        return operation.max_body_bytes(service().settings)

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, read to its end; Werkzeug's own stream returns what it has when it reaches the limit.

        Raises
        ------
        RequestEntityTooLarge
            If the body is longer than the limit, whether or not its length was declared.
        ClientDisconnected
            If it is shorter than the declared length.
        """
        limit = self.max_content_length
        # Only servers that know where a chunked body ends set this; the event loop declares every length.
        if limit is None or "wsgi.input_terminated" not in self.environ:
            return super().stream
        declared = self.content_length
        if declared is not None and declared > limit:
            raise RequestEntityTooLarge
        body = _read_up_to(self.environ["wsgi.input"], limit + 1)
        if len(body) > limit:
            raise RequestEntityTooLarge
        if declared is not None and len(body) < declared:
            raise ClientDisconnected
        return io.BytesIO(body)


def _read_up_to(source: IO[bytes], n_bytes: int) -> bytes:
    """Read a stream to its end, or up to a number of bytes."""
    body = bytearray()
    while len(body) < n_bytes and (data := source.read(n_bytes - len(body))):
        body += data
    return bytes(body)


def reference_to(schema: str) -> dict[str, Any]:
    """Return a reference to the schema with this name, for an OpenAPI document."""
    return {"$ref": f"#/components/schemas/{schema}"}


def operation_of(view: Callable[..., Any] | None) -> Operation | None:
    """Return the declaration on a view, or None if it has none, like the views of static files."""
    operation: Operation | None = getattr(view, _ATTRIBUTE, None)
    return operation


def routes_of(app: Flask) -> tuple[Route, ...]:
    """Return every declared route, in the order of registration."""
    routes: dict[tuple[str, str], Route] = {}
    for rule in app.url_map.iter_rules():
        operation = operation_of(app.view_functions[rule.endpoint])
        if operation is None:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).rstrip("/") or "/"
        for method in (rule.methods or set()) - _IMPLICIT_METHODS:
            routes.setdefault((path, method), Route(path, method, operation))
    return tuple(routes.values())


def statuses_by_endpoint(app: Flask) -> dict[str, tuple[int, ...]]:
    """Return the statuses that each declared endpoint can answer."""
    operations = {endpoint: operation_of(view) for endpoint, view in app.view_functions.items()}
    return {endpoint: operation.statuses for endpoint, operation in operations.items() if operation}


def body_limits(app: Flask, settings: Settings) -> dict[str, int]:
    """Return the maximum length of a body for each path without parameters."""
    return {route.path: route.operation.max_body_bytes(settings) for route in routes_of(app) if "{" not in route.path}


def refuse_long_bodies() -> None:
    """Refuse a body that is too long although its view reads none; views that read theirs refuse it themselves."""
    if request.method in _WITHOUT_BODY:
        request.stream  # noqa: B018 - checks the length


def refuse_body_fields_in_query() -> None:
    """Refuse query parameters that are fields of the body: they would be ignored, which silently means the default.

    Raises
    ------
    InvalidQuery
        With one entry for each such parameter.
    """
    operation = operation_of(current_app.view_functions.get(request.endpoint or ""))
    if not request.args or operation is None or operation.request is None or request.method in _WITHOUT_BODY:
        return
    declared = {parameter.name for parameter in operation.query}
    body_fields = {name for schema in _schemas_of(operation.request) for name in _field_names(schema)}
    errors: list[FieldError] = [
        {"field": name, "message": "this is a field of the body: send it there, not in the query"}
        for name in request.args
        if name in body_fields - declared
    ]
    if errors:
        raise InvalidQuery(errors)


def _schemas_of(body: BodySchema) -> Iterable[Schema]:
    """Return the schemas of a body; none if they depend on a model, and there is none."""
    if isinstance(body, RawSchema):
        return [schema() for schema in body.uses]
    if isinstance(body, type):
        return [body()]
    features = service().model.features
    return [] if features is None else [body(features, service().settings.max_batch_rows)]


def _field_names(schema: Schema) -> Iterator[str]:
    """Yield the names of a schema's fields, and of the fields of nested objects."""
    for name, field in schema.fields.items():
        yield name
        item = field.inner if isinstance(field, fields.List) else field
        if isinstance(item, fields.Nested):
            yield from _field_names(item.schema)
