"""No body is cut at the limit: one byte more is refused, on every route, in every form, under every worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.raw_http import Answer, Connection
from tests.system.running_service import RunningService, start_service

pytestmark = pytest.mark.system

LIMIT = 3000

ROW = [0.56, 0.23]
TENSOR = {"name": "rows", "datatype": "FP64", "shape": [1, 2], "data": ROW}

# Method, path, media type, the body, what may follow it up to the limit, and the status of a body within the limit.
FORMS = {
    "row": ("POST", "/prediction", "application/json", json.dumps({"feature_vector": ROW}), " ", 200),
    "rows": ("POST", "/predictions", "application/json", json.dumps({"feature_vectors": [ROW]}), " ", 200),
    "csv": ("POST", "/predictions", "text/csv", "mean,sd\n0.56,", "1", 200),
    "ndjson": ("POST", "/predictions", "application/x-ndjson", "[0.56, 0.23]", " ", 200),
    "tensors": ("POST", "/v2/models/isowatch/infer", "application/json", json.dumps({"inputs": [TENSOR]}), " ", 200),
    "label": ("POST", "/feedback", "application/json", '{"request_id": "none", "is_inlier": 1}', " ", 404),
    "audit": ("POST", "/audit/next", "application/json", '{"n": 1}', " ", 200),
    "no body": ("GET", "/model_information", "application/json", "", " ", 200),
}


@pytest.fixture(scope="module", params=["FrontWorker", "gthread"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, credits_models: Path
) -> Iterator[RunningService]:
    """A service with small limits, under our worker and under one of Gunicorn's own."""
    options = () if request.param == "FrontWorker" else ("--worker-class", request.param)
    records_are_ready = "/audit/next"
    limits = {"MAX_BODY_BYTES": str(LIMIT), "MAX_BATCH_BODY_BYTES": str(LIMIT), "WEB_CONCURRENCY": "1"}
    with start_service(
        tmp_path_factory.mktemp("service"), credits_models, *options, until=records_are_ready, **limits
    ) as running:
        running.session.close()
        yield running


@pytest.mark.parametrize("is_chunked", [True, False], ids=["chunked", "with a length"])
@pytest.mark.parametrize("form", FORMS)
def test_body_above_the_limit_is_refused(service: RunningService, form: str, is_chunked: bool):
    """A body of limit - 1 or limit bytes is answered, and one of limit + 1 is 413, never scored in part."""
    method, path, media_type, body, filler, expected = FORMS[form]
    statuses = {}
    for length in (LIMIT - 1, LIMIT, LIMIT + 1):
        content = (body + filler * (length - len(body))).encode()
        statuses[length - LIMIT] = _send(service, method, path, media_type, content, is_chunked).status

    if form == "csv":  # its last cell is a number of thousands of digits, which no float holds
        expected = 422
    assert statuses == {-1: expected, 0: expected, 1: 413}


def test_body_that_ends_early_is_not_scored(service: RunningService):
    """A client that leaves within its body is refused or dropped, although what arrived is valid CSV."""
    whole = b"mean,sd\n0.56,0.23\n0.56,0.23\n"
    head = "POST /predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
    with Connection(service) as connection:
        connection.send(f"{head}Content-Length: {len(whole)}\r\n\r\n".encode() + whole[:18])
        connection.finish_sending()
        answers = connection.read_to_end()

    assert [answer.status for answer in answers] in ([], [400])


def _send(service: RunningService, method: str, path: str, media_type: str, content: bytes, is_chunked: bool) -> Answer:
    """Send a body, in chunks of 1,000 bytes or with its length, on a connection of its own."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Type: {media_type}"]
    if is_chunked:
        head.append("Transfer-Encoding: chunked")
        parts = [content[start : start + 1000] for start in range(0, len(content), 1000)]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        head.append(f"Content-Length: {len(content)}")
        framed = content
    with Connection(service) as connection:
        return connection.ask("\r\n".join([*head, "", ""]).encode() + framed, method)
