"""``POST /feedback`` keeps labels, says what became of each, and tells unknown ones from malformed ones."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.records.explained import count_rows
from tests.records.filled_tables import add_writer, make_id, record
from tests.routes.recorded_service import RecordedService, start_recorded_service

ID = make_id(1)


@pytest.fixture
def service(recorded: RecordedService) -> RecordedService:
    """A service with an outlier and an inlier that were answered an hour ago."""
    an_hour_ago = time.time() - 3600
    record(recorded.engine, ID, 0, request_id="theirs", is_inlier=-1, answered_at=an_hour_ago)
    record(recorded.engine, ID, 1, request_id="theirs", answered_at=an_hour_ago)
    return recorded


def _refused(service: RecordedService) -> dict[str, float]:
    """Count what was refused, by reason."""
    reasons = ("unknown", "malformed", "unauthorized", "unavailable")
    counted = {reason: service.value("feedback_refused_total", reason=reason) for reason in reasons}
    return {reason: count for reason, count in counted.items() if count}


def test_label_is_taken(service: RecordedService):
    """The answer says so as the document describes it, and it is counted with its age."""
    answer = service.client.post("/feedback", json={"request_id": "theirs", "is_inlier": 1, "source": "fraud-desk"})

    assert answer.status_code == 202
    service.check(answer.json, "FeedbackAnswer")
    assert answer.json == {
        "taken": 1,
        "unchanged": 0,
        "waiting": 0,
        "unknown": 0,
        "labels": [{"request_id": "theirs", "row": 0, "result": "taken"}],
    }
    assert service.value("feedback_total", predicted="outlier", label="inlier") == 1
    assert service.value("feedback_age_seconds_bucket", le="3600.0") == 0
    assert service.value("feedback_age_seconds_bucket", le="21600.0") == 1


def test_list_is_taken_label_by_label(service: RecordedService):
    """What became of each stands at its place; a label that was known is not counted again."""
    labels = [
        {"request_id": ID, "row": 1, "is_inlier": 1},
        {"request_id": "theirs", "row": 1, "is_inlier": 1},
        {"request_id": "theirs", "row": 2, "is_inlier": -1},
        {"request_id": "theirs", "is_inlier": -1},
    ]
    answer = service.client.post("/feedback", json=labels)

    assert answer.status_code == 202
    assert [label["result"] for label in answer.json["labels"]] == ["taken", "unchanged", "unknown", "taken"]
    assert (answer.json["taken"], answer.json["unchanged"], answer.json["unknown"]) == (2, 1, 1)
    assert service.value("feedback_total", predicted="inlier", label="inlier") == 1
    assert service.value("feedback_total", predicted="outlier", label="outlier") == 1
    assert service.value("feedback_age_seconds_count") == 2
    assert _refused(service) == {"unknown": 1}


def test_unknown_ids_alone_are_not_found(service: RecordedService):
    """404 says why that may be; nothing is kept."""
    labels = [{"request_id": "nobody", "is_inlier": 1}, {"request_id": "theirs", "row": 7, "is_inlier": 1}]
    answer = service.client.post("/feedback", json=labels)

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert "kept for 30 days" in answer.json["detail"]
    assert _refused(service) == {"unknown": 2}
    assert count_rows(service.engine, "labels") == count_rows(service.engine, "waiting_labels") == 0


def test_early_label_waits(service: RecordedService, monkeypatch: pytest.MonkeyPatch):
    """While a recorder lives that may still write its record."""
    monkeypatch.setattr("app.records.feedback._PATIENCE_SECONDS", 0.0)
    add_writer(service.engine)
    answer = service.client.post("/feedback", json={"request_id": "early", "is_inlier": 1})

    assert (answer.status_code, answer.json["waiting"]) == (202, 1)
    assert count_rows(service.engine, "waiting_labels") == 1
    assert _refused(service) == {}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"request_id": None}, "request_id", "null"),
        ({"request_id": "two words"}, "request_id", "X-Record-ID of an answer"),
        ({"request_id": "a\n"}, "request_id", "X-Record-ID of an answer"),
        ({"request_id": "x" * 129}, "request_id", "X-Record-ID of an answer"),
        ({"request_id": 7}, "request_id", "string"),
        ({"is_inlier": 0}, "is_inlier", "expected 1 (inlier) or -1 (outlier)"),
        ({"is_inlier": True}, "is_inlier", "expected a whole number, got a boolean"),
        ({"is_inlier": "1"}, "is_inlier", "expected a whole number, got a string"),
        ({"row": -1}, "row", "greater than or equal to 0"),
        ({"row": 2**31}, "row", "less than or equal to"),
        ({"row": 0.5}, "row", "expected a whole number"),
        ({"source": "x" * 65}, "source", "64"),
        ({"source": "a\nb"}, "source", "no control characters"),
        ({"note": "x" * 1001}, "note", "1000"),
        ({"note": "a\0b"}, "note", "no control characters"),
        ({"more": 1}, "more", "Unknown"),
    ],
)
def test_malformed_label_is_named(service: RecordedService, change: dict[str, object], field: str, message: str):
    """Alone by its field, in a list by its place as well; of the list nothing is taken."""
    good = {"request_id": "theirs", "is_inlier": 1}
    alone = service.client.post("/feedback", json=good | change)
    in_a_list = service.client.post("/feedback", json=[good, good | change])

    assert (alone.status_code, in_a_list.status_code) == (422, 422)
    [error] = alone.json["errors"]
    assert error["field"] == field
    assert message in error["message"]
    [error] = in_a_list.json["errors"]
    assert (error["field"], error["row"]) == (f"[1].{field}", 1)
    assert count_rows(service.engine, "labels") == 0
    assert _refused(service) == {"malformed": 2}


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"[]", "", "expected a label or a list of labels, got an empty list"),
        (b"7", "", "expected a label or a list of labels, got a number"),
        (b"{}", "request_id", "required"),
        (b"[7]", "[0]", "expected an object with request_id and is_inlier"),
    ],
)
def test_other_shapes_are_told_what_is_expected(service: RecordedService, body: bytes, field: str, message: str):
    """In words that fit what came."""
    errors = service.client.post("/feedback", data=body, content_type="application/json").json["errors"]

    assert errors[0]["field"] == field
    assert message in errors[0]["message"]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"request_id": "theirs", "is_inlier": 1}', "text/plain", 415),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b"null", "application/json", 422),
        (b"7", "application/json", 422),
        (b"[7]", "application/json", 422),
        (b"[[]]", "application/json", 422),
        (json.dumps([{"request_id": "theirs", "is_inlier": 1}] * 1001).encode(), "application/json", 413),
        (b" " * 8_388_609, "application/json", 413),
    ],
)
def test_body_that_is_no_feedback_is_refused(service: RecordedService, body: bytes, media_type: str, status: int):
    """With a problem document, and counted."""
    answer = service.client.post("/feedback", data=body, content_type=media_type)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert _refused(service) == {"malformed": 1}


def test_a_thousand_labels_are_taken(service: RecordedService):
    """Also with notes of a thousand characters, which are longer than a prediction may be."""
    label = {"request_id": "theirs", "is_inlier": 1, "note": "ü" * 1000}
    answer = service.client.post("/feedback", json=[label] * 1000)

    assert (answer.status_code, answer.json["taken"], answer.json["unchanged"]) == (202, 1, 999)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RecordedService]:
    """A service with a key."""
    file = tmp_path / "keys"
    file.write_text("a-long-key\n")
    with start_recorded_service(tmp_path, feedback_api_keys_file=str(file)) as service:
        record(service.engine, ID)
        yield service


def test_key_is_asked_for_before_anything_is_read(guarded: RecordedService):
    """401 without it, and counted; whatever the body."""
    for headers in ({}, {"X-API-Key": "another"}):
        answer = guarded.client.post("/feedback", data=b"{", content_type="application/json", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "X-API-Key"
    label = {"request_id": ID, "is_inlier": 1}
    assert guarded.client.post("/feedback", json=label, headers={"X-API-Key": "a-long-key"}).status_code == 202
    assert _refused(guarded) == {"unauthorized": 2}


def test_without_keys_another_host_is_refused(service: RecordedService):
    """Also one behind a proxy on this host."""
    label = {"request_id": ID, "is_inlier": 1}
    far = service.client.post("/feedback", json=label, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    behind = service.client.post("/feedback", json=label, headers={"X-Forwarded-For": "192.0.2.1"})

    assert (far.status_code, behind.status_code) == (403, 403)
    assert "FEEDBACK_API_KEYS_FILE" in far.json["detail"]
    assert _refused(service) == {"unauthorized": 2}


def test_keys_that_cannot_be_read_let_nobody_in(tmp_path: Path):
    """The service is at fault, and says so."""
    with start_recorded_service(tmp_path, feedback_api_keys_file=str(tmp_path / "missing")) as service:
        answer = service.client.post("/feedback", json={"request_id": ID, "is_inlier": 1})

        assert answer.status_code == 503
        assert _refused(service) == {"unavailable": 1}


@pytest.mark.parametrize(("path", "method"), [("/feedback", "POST"), ("/predictions/<request_id>", "GET")])
def test_refusals_of_callers_are_counted_from_0(service: RecordedService, path: str, method: str):
    """So that the first one who tries a key is seen."""
    for status in ("401", "403", "404"):
        labels = {"url_rule": path, "method": method, "status": status}
        assert service.value("flask_http_request_duration_seconds_count", **labels) == 0
