"""Every prediction route publishes the caller's ids and segment, and returns the id of the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.service import service_of

ROW = [0.56, 0.23]
TENSOR = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": ROW}
INFER = "/v2/models/isowatch/infer"


@pytest.fixture
def service(
    make_service: Callable[[Path], Flask], credits_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Flask:
    """A service with a model and a client of the recorder."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return make_service(credits_models)


@pytest.fixture
def published(service: Flask, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Request id, record id and segment of all rows that were published."""
    calls: list[tuple[str, str, str]] = []

    def publish(request_id: str, version: str, scored: object, record_id: str = "", segment: str = "") -> None:
        calls.append((request_id, record_id, segment))

    recorder = service_of(service).recorder
    monkeypatch.setattr(recorder, "publish", publish)
    monkeypatch.setattr(recorder, "publish_row", publish)
    return calls


def _ways(segment: object) -> dict[str, dict[str, Any]]:
    """Return requests with a segment, one for each way to send rows."""
    return {
        "one row": {"path": "/prediction", "json": {"feature_vector": ROW, "segment": segment}},
        "many rows": {"path": "/predictions", "json": {"feature_vectors": [ROW], "segment": segment}},
        "tensors": {"path": INFER, "json": {"inputs": [TENSOR], "parameters": {"segment": segment}}},
        "text": {
            "path": "/predictions",
            "query_string": {"segment": segment},
            "data": "mean,sd\n0.56,0.23\n",
            "content_type": "text/csv",
        },
    }


@pytest.mark.parametrize("way", list(_ways("")))
def test_segment_reaches_the_recorder_and_the_record_id_the_caller(client: FlaskClient, published, way: str):
    """Every route and media type publishes both; the record id is ours even if the caller sent a request id."""
    answer = client.post(**_ways("Österreich 4.2")[way], headers={"X-Request-ID": "theirs"})

    assert answer.status_code == 200
    assert published == [("theirs", answer.headers["X-Record-ID"], "Österreich 4.2")]
    assert len(answer.headers.getlist("X-Record-ID")) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/prediction", {"feature_vector": ROW, "segment": "DE"}),
        ("/predictions", {"feature_vectors": [ROW], "segment": "DE"}),
        (INFER, {"inputs": [TENSOR], "parameters": {"segment": "DE"}}),
    ],
)
def test_fast_path_publishes_the_same(service: Flask, published, path: str, body: object):
    """Without Flask, both ids and the segment are the same as with it."""
    headers = [(b"content-type", b"application/json"), (b"x-request-id", b"theirs")]
    answer = service.fast_path.answer("POST", path, "", headers, json.dumps(body).encode(), "127.0.0.1")  # type: ignore[attr-defined]

    record_id = dict(answer.headers)[b"X-Record-ID"].decode()
    assert published == [("theirs", record_id, "DE")]


@pytest.mark.parametrize("way", ["one row", "many rows"])
def test_request_without_segment_and_id_has_an_empty_segment_and_our_id(client: FlaskClient, published, way: str):
    """The request id then equals the record id."""
    request = _ways("")[way]
    del request["json"]["segment"]
    answer = client.post(**request)

    assert published == [(answer.headers["X-Request-ID"], answer.headers["X-Record-ID"], "")]
    assert answer.headers["X-Request-ID"] == answer.headers["X-Record-ID"]


def test_segment_in_the_body_precedes_the_query_parameter(client: FlaskClient, published):
    """A body can override a segment that is configured in the URL."""
    for body in ({"feature_vectors": [ROW], "segment": "body"}, {"feature_vectors": [ROW]}):
        client.post("/predictions?segment=address", json=body)

    assert [segment for _, _, segment in published] == ["body", "address"]


@pytest.mark.parametrize("way", list(_ways("")))
@pytest.mark.parametrize("segment", ["", " DE", "DE ", "a\nb", "a\0", "\x9f", "x" * 65])
def test_bad_segment_is_refused(client: FlaskClient, published, way: str, segment: str):
    """The refusal says what is expected, and nothing is scored."""
    answer = client.post(**_ways(segment)[way])

    assert answer.status_code == (400 if way == "tensors" else 422)
    assert "segment: expected 1 to 64 characters" in answer.text
    assert published == []
    assert "X-Record-ID" not in answer.headers


@pytest.mark.parametrize("segment", ["é", "x" * 64, "🇦🇹", "two words"])
def test_short_text_is_a_segment(client: FlaskClient, published, segment: str):
    """Letters of any script are allowed."""
    assert client.post("/prediction", json={"feature_vector": ROW, "segment": segment}).status_code == 200
    assert published[0][2] == segment


@pytest.mark.parametrize("segment", [None, 49, ["DE"], True])
def test_segment_is_a_string(client: FlaskClient, segment: object):
    """Other JSON values are refused."""
    answer = client.post("/prediction", json={"feature_vector": ROW, "segment": segment})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "segment"


def test_segment_given_twice_in_the_query_is_refused(client: FlaskClient):
    """It is unclear which one was meant."""
    answer = client.post("/predictions?segment=DE&segment=AT", data="[1, 2]", content_type="application/x-ndjson")

    assert answer.status_code == 422
    assert "segment: expected 1 to 64 characters" in answer.json["detail"]
    assert "got DE and AT" in answer.json["detail"]
