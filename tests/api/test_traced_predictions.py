"""What every prediction route tells the recorder of a caller, and the caller of its record."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.service import service_of

ROW = [0.56, 0.23]
TENSOR = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": ROW}
INFER = "/v2/models/isowatch/infer"


@pytest.fixture
def handed(service: Flask, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Request id, record id and segment of what a fake recorder is handed."""
    taken: list[tuple[str, str, str]] = []

    def take(request_id: str, version: str, scored: object, record_id: str = "", segment: str = "") -> None:
        taken.append((request_id, record_id, segment))

    monkeypatch.setattr(service_of(service).recorder, "publish", take)
    return taken


def _ways(segment: object) -> dict[str, dict[str, Any]]:
    """Give requests that name a segment, one for each way into the service."""
    return {
        "express": {"path": "/prediction", "json": {"feature_vector": ROW, "segment": segment}},
        "one row": {
            "path": "/prediction",
            "json": {"feature_vector": ROW, "segment": segment},
            "content_type": "application/json; charset=utf-8",
        },
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
def test_segment_reaches_the_recorder_and_the_record_id_the_caller(client: FlaskClient, handed, way: str):
    """Whatever the route and the form; the record's id is ours though the caller named the request."""
    answer = client.post(**_ways("Österreich 4.2")[way], headers={"X-Request-ID": "theirs"})

    assert answer.status_code == 200
    assert handed == [("theirs", answer.headers["X-Record-ID"], "Österreich 4.2")]
    assert len(answer.headers.getlist("X-Record-ID")) == 1


@pytest.mark.parametrize("way", ["express", "many rows"])
def test_without_a_segment_and_an_id_there_is_none_and_ours(client: FlaskClient, handed, way: str):
    """Request and record then have the same id."""
    request = _ways("")[way]
    del request["json"]["segment"]
    answer = client.post(**request)

    assert handed == [(answer.headers["X-Request-ID"], answer.headers["X-Record-ID"], "")]
    assert answer.headers["X-Request-ID"] == answer.headers["X-Record-ID"]


def test_segment_of_a_body_comes_before_that_of_the_address(client: FlaskClient, handed):
    """An address that is set once for all may be narrowed down."""
    for body in ({"feature_vectors": [ROW], "segment": "body"}, {"feature_vectors": [ROW]}):
        client.post("/predictions?segment=address", json=body)

    assert [segment for _, _, segment in handed] == ["body", "address"]


@pytest.mark.parametrize("way", list(_ways("")))
@pytest.mark.parametrize("segment", ["", " DE", "DE ", "a\nb", "a\0", "\x9f", "x" * 65])
def test_bad_segment_is_refused(client: FlaskClient, handed, way: str, segment: str):
    """With a sentence, before anything is scored."""
    answer = client.post(**_ways(segment)[way])

    assert answer.status_code == (400 if way == "tensors" else 422)
    assert "segment: expected 1 to 64 characters" in answer.text
    assert handed == []
    assert "X-Record-ID" not in answer.headers


@pytest.mark.parametrize("segment", ["é", "x" * 64, "🇦🇹", "two words"])
def test_short_text_is_a_segment(client: FlaskClient, handed, segment: str):
    """In any script."""
    assert client.post("/prediction", json={"feature_vector": ROW, "segment": segment}).status_code == 200
    assert handed[0][2] == segment


@pytest.mark.parametrize("segment", [None, 49, ["DE"], True])
def test_segment_is_a_string(client: FlaskClient, segment: object):
    """No other JSON value stands for one."""
    answer = client.post("/prediction", json={"feature_vector": ROW, "segment": segment})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "segment"


def test_two_segments_in_an_address_are_one_too_many(client: FlaskClient):
    """Nobody can tell which was meant."""
    answer = client.post("/predictions?segment=DE&segment=AT", data="[1, 2]", content_type="application/x-ndjson")

    assert answer.status_code == 422
    assert "expected one, got 2" in answer.json["detail"]
