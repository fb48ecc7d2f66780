"""Answers usual requests in the worker's event loop, without Flask: single rows, small batches, health checks.

Each is answered by the same function as in Flask's view. Everything unusual (another media type, a query, a mistake, no
model, a browser, a bug) is left to Flask, so only the usual case is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from app.api.explanation import EXPLAIN
from app.api.health import LIVE, LIVENESS_RULE, READINESS_RULE, describe_readiness
from app.api.prediction import PREDICTION_RULE, answer_row
from app.api.predictions import PREDICTIONS_RULE, answer_batch, load_predictions_request
from app.api.service import MODEL_VERSION_HEADER, Service
from app.api.v2.body import BINARY_MEDIA_TYPE, BinaryPart, encode_tensors
from app.api.v2.infer import (
    INFER_RULE,
    VERSION_INFER_RULE,
    answer_inference,
    check_model,
    wants_binary,
)
from app.api.v2.inference_request import load_inference_request
from app.api.v2.usual_row import answer_usual_row, read_usual_row
from app.metrics.http import UNMATCHED, FastPathMetrics
from app.metrics.service import SUCCESS
from app.model.bundle import Bundle
from app.server.loop_answers import Answer
from app.web.auth import PROXY_HEADERS, Sender
from app.web.codecs import JSON_MEDIA_TYPE
from app.web.key_file import PREDICT
from app.web.middleware import (
    RECORD_ID_HEADER,
    REFUSED_ID,
    REFUSED_ID_HEADER,
    REQUEST_ID_HEADER,
    RequestIds,
    assign_ids,
)
from app.web.problems import PROBLEM_MEDIA_TYPE, describe_problem

# While a request is answered here, all others wait. This is a row of 256 features, or about a hundred of two, which
# takes a few tenths of a millisecond.
_MAX_BODY_BYTES = 8192

# Headers with which a request is not a usual one: a body in another form, another form of answer, or a browser, whose
# requests Flask checks.
_UNUSUAL_HEADERS = frozenset({b"content-encoding", b"inference-header-content-length", b"origin", b"sec-fetch-site"})
_PROXY_HEADERS = frozenset(name.encode() for name in PROXY_HEADERS)
_USUAL_ACCEPT = frozenset({b"*/*", b"application/json"})

_JSON = JSON_MEDIA_TYPE.encode()
_REQUEST_ID, _RECORD_ID, _MODEL_VERSION = (
    name.encode() for name in (REQUEST_ID_HEADER, RECORD_ID_HEADER, MODEL_VERSION_HEADER)
)

_PREDICTION_RULES = frozenset({PREDICTION_RULE, PREDICTIONS_RULE})
_HEALTH_RULES = frozenset({LIVENESS_RULE, READINESS_RULE})

# What a route answers with: the model that answered, if any, and the body.
_Answered = tuple[Bundle | None, bytes]


class _ExplainedInFlask(Exception):
    """An explanation takes up to a few milliseconds, for which the loop's other requests do not wait."""


class FastPath:
    """The usual requests of one service; see ``app.server.loop_answers.FastPath``.

    Parameters
    ----------
    parts
        The parts of the service.
    http
        Counts the requests that are answered here; Flask's hooks count all others.
    body_limits
        The maximum length of a body for each path; the largest of all for paths with parameters.
    """

    def __init__(self, parts: Service, http: FastPathMetrics, body_limits: Mapping[str, int]) -> None:
        self._parts, self._http, self._body_limits = parts, http, body_limits
        settings = parts.settings
        self._default_limit = max(settings.max_body_bytes, settings.max_batch_body_bytes)

    def may_answer(self, method: str, path: str, content_length: int) -> bool:
        """Return whether a request may be a usual one, by its head."""
        if method == "POST":
            if not 0 < content_length <= _MAX_BODY_BYTES or content_length > self.max_body_bytes(path):
                return False
            return path in _PREDICTION_RULES or path.endswith("/infer")
        return method == "GET" and content_length == 0 and path in _HEALTH_RULES

    def answer(
        self, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]], body: bytes, peer: str
    ) -> Answer | None:
        """Answer a complete request from an address, or return None if Flask has to answer it."""
        started = time.perf_counter()
        given = dict(headers)
        # A header that is sent twice has two values.
        if query or len(given) < len(headers) or not _UNUSUAL_HEADERS.isdisjoint(given):
            return None
        ids = assign_ids(given.get(b"x-request-id", b"").decode("latin-1"))
        caller: str | None = ""
        try:
            if method == "GET":
                rule, bundle, content = path, *self._answer_health(path)
            else:
                caller = self._find_caller(given, peer)
                if caller is None or not _is_usual_form(given):
                    return None
                rule, bundle, content = self._answer_prediction(path, ids, msgspec.json.decode(body))
        except Exception:
            # Nothing was counted yet: the view fails in the same way, counts the request, and reports the error.
            return None
        seconds = time.perf_counter() - started
        sent = [(b"Content-Type", _JSON), (b"Content-Length", b"%d" % len(content))]
        sent.append((_REQUEST_ID, ids.request_id.encode()))
        if ids.is_refused:
            sent.append((REFUSED_ID_HEADER.encode(), REFUSED_ID.encode()))
        if bundle is not None:
            sent.append((_MODEL_VERSION, bundle.version.encode()))
            if method == "POST":
                sent.append((_RECORD_ID, ids.record_id.encode()))
                self._parts.metrics.record_prediction_request(bundle.version, SUCCESS, seconds)
                if caller:
                    self._parts.metrics.access.record_caller(caller, PREDICT)
        self._http.record(method, rule, 200, seconds)
        if self._parts.log is not None:
            self._parts.log.add(ids.request_id, method, rule, 200, seconds, caller or "")
        return Answer(200, sent, content)

    def _find_caller(self, given: dict[bytes, bytes], peer: str) -> str | None:
        """Return the caller's name, empty if it has none, or None if Flask has to refuse it."""
        host = given.get(b"host")
        if not self._parts.hosts.is_allowed(None if host is None else host.decode("latin-1")):
            return None
        return self._parts.keys.find_predictor(
            Sender(
                given.get(b"x-api-key", b"").decode("latin-1"),
                peer,
                given.get(b"x-forwarded-for", b"").decode("latin-1"),
                not _PROXY_HEADERS.isdisjoint(given),
            )
        )

    def _answer_health(self, path: str) -> _Answered:
        """Answer ``/healthz`` or ``/readyz``."""
        if path == LIVENESS_RULE:
            return None, LIVE
        return self._parts.model.get(), describe_readiness(self._parts)

    def _answer_prediction(self, path: str, ids: RequestIds, body: object) -> tuple[str, Bundle, bytes]:
        """Return the rule of a route that scores rows, the model, and the answer."""
        bundle = self._parts.model.get()
        if path in _PREDICTION_RULES and type(body) is dict and body.get(EXPLAIN):
            raise _ExplainedInFlask
        if path == PREDICTION_RULE:
            return path, bundle, answer_row(self._parts, ids, bundle, body)
        if path == PREDICTIONS_RULE:
            batch = load_predictions_request(body, bundle.features, self._parts.settings.max_batch_rows)
            return path, bundle, msgspec.json.encode(answer_batch(self._parts, ids, bundle, batch))
        match path.split("/"):
            case ["", "v2", "models", name, "infer"]:
                rule, version = INFER_RULE, None
            case ["", "v2", "models", name, "versions", version, "infer"]:
                rule = VERSION_INFER_RULE
            case _:
                raise LookupError(path)
        check_model(bundle, name, version)
        if row := read_usual_row(body, bundle.features):
            assert isinstance(body, dict), "checked"
            return rule, bundle, answer_usual_row(self._parts, ids, bundle, body, row)
        loaded = load_inference_request(body)
        if wants_binary(loaded):
            raise LookupError(BINARY_MEDIA_TYPE)
        if loaded["parameters"][EXPLAIN]:
            raise _ExplainedInFlask
        answer, outputs = answer_inference(self._parts, ids, bundle, loaded, BinaryPart(memoryview(b"")))
        return rule, bundle, encode_tensors(answer, outputs)[0]

    def max_body_bytes(self, path: str) -> int:
        """Return the maximum length of a body that is sent to a path."""
        return self._body_limits.get(path, self._default_limit)

    def refuse(self, status: int, detail: str) -> Answer:
        """Return the answer to a request that cannot be parsed or takes too long, and log it."""
        ids = assign_ids("")
        content = msgspec.json.encode(describe_problem(status, detail, ids.request_id))
        if self._parts.log is not None:
            self._parts.log.add(ids.request_id, "-", UNMATCHED, status, 0)
        headers = [
            (b"Content-Type", PROBLEM_MEDIA_TYPE.encode()),
            (b"Content-Length", b"%d" % len(content)),
            (REQUEST_ID_HEADER.encode(), ids.request_id.encode()),
        ]
        return Answer(status, headers, content)

    def count_closed(self, reason: str) -> None:
        """Count a connection that was closed early."""
        self._parts.metrics.record_closed_connection(reason)


def _is_usual_form(given: dict[bytes, bytes]) -> bool:
    """Return whether a body is sent and wanted as plain JSON."""
    return given.get(b"content-type") == _JSON and given.get(b"accept", b"*/*") in _USUAL_ACCEPT
