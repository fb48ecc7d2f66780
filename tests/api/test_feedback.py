"""``POST /feedback`` stores labels, returns the result of each, and refuses malformed ones."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api import feedback
from app.db import tables
from app.web import fields as segment
from app.web.middleware import REQUEST_ID_PATTERN, is_valid_request_id
from tests.api.recorded_service import RecordedService, start_recorded_service
from tests.records.explained import count_rows
from tests.records.filled_tables import add_writer, make_id, record

ID = make_id(1)


@pytest.fixture
def service(recorded: RecordedService) -> RecordedService:
    """A service that recorded an outlier and an inlier an hour ago."""
    an_hour_ago = time.time() - 3600
    record(recorded.engine, ID, 0, request_id="theirs", is_inlier=-1, answered_at=an_hour_ago)
    record(recorded.engine, ID, 1, request_id="theirs", answered_at=an_hour_ago)
    return recorded


def _refused(service: RecordedService) -> dict[str, float]:
    """Return the number of refused labels by reason."""
    reasons = ("unknown", "malformed", "unauthorized", "unavailable")
    counted = {reason: service.value("feedback_refused_total", reason=reason) for reason in reasons}
    return {reason: count for reason, count in counted.items() if count}


def test_label_is_accepted(service: RecordedService):
    """The answer follows the OpenAPI document, and the label is counted with its age."""
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


def test_list_is_processed_label_by_label(service: RecordedService):
    """The answer has the result of each label in order; a known label is not counted again."""
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
    """The answer is 404 with possible reasons, and nothing is stored."""
    labels = [{"request_id": "nobody", "is_inlier": 1}, {"request_id": "theirs", "row": 7, "is_inlier": 1}]
    answer = service.client.post("/feedback", json=labels)

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert "kept for 30 days" in answer.json["detail"]
    assert _refused(service) == {"unknown": 2}
    assert count_rows(service.engine, "labels") == count_rows(service.engine, "waiting_labels") == 0


def test_early_label_is_pending(service: RecordedService, monkeypatch: pytest.MonkeyPatch):
    """It stays pending while a recorder may still write its record."""
    monkeypatch.setattr("app.records.feedback._WAIT_SECONDS", 0.0)
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
        ({"is_inlier": True}, "is_inlier", "expected 1 (inlier) or -1 (outlier), got a boolean"),
        ({"is_inlier": "1"}, "is_inlier", "expected 1 (inlier) or -1 (outlier), got a string"),
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
def test_malformed_label_is_reported(service: RecordedService, change: dict[str, object], field: str, message: str):
    """The refusal has the field and, for a list, the index; no label of the list is stored."""
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
def test_other_shapes_are_refused_with_what_is_expected(
    service: RecordedService, body: bytes, field: str, message: str
):
    """The message fits the type of the body."""
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
def test_body_without_labels_is_refused(service: RecordedService, body: bytes, media_type: str, status: int):
    """The answer is a problem document, and the refusal is counted."""
    answer = service.client.post("/feedback", data=body, content_type=media_type)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert _refused(service) == {"malformed": 1}


def test_a_thousand_labels_are_accepted(service: RecordedService):
    """With notes of a thousand characters, the body may be longer than that of a prediction."""
    label = {"request_id": "theirs", "is_inlier": 1, "note": "ü" * 1000}
    answer = service.client.post("/feedback", json=[label] * 1000)

    assert (answer.status_code, answer.json["taken"], answer.json["unchanged"]) == (202, 1, 999)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RecordedService]:
    """A service that requires a key."""
    file = tmp_path / "keys"
    file.write_text("a-long-key\n")
    with start_recorded_service(tmp_path, feedback_api_keys_file=str(file)) as service:
        record(service.engine, ID)
        yield service


def test_key_is_checked_before_the_body(guarded: RecordedService):
    """Without a valid key, the answer is 401 whatever the body, and the refusal is counted."""
    for headers in ({}, {"X-API-Key": "another"}):
        answer = guarded.client.post("/feedback", data=b"{", content_type="application/json", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "X-API-Key"
    label = {"request_id": ID, "is_inlier": 1}
    assert guarded.client.post("/feedback", json=label, headers={"X-API-Key": "a-long-key"}).status_code == 202
    assert _refused(guarded) == {"unauthorized": 2}


def test_labels_are_taken_back_by_whoever_gave_them(tmp_path: Path):
    """And by nobody else; the audit trail has both with their names."""
    (tmp_path / "keys").write_text("ada labeller key-of-ada\neve labeller key-of-eve\nvic viewer key-of-vic\n")
    with start_recorded_service(tmp_path, api_keys_file=str(tmp_path / "keys")) as service:
        record(service.engine, ID)
        row = {"request_id": ID, "row": 0}

        def post(name: str, path: str, body: object) -> Any:
            return service.client.post(path, json=body, headers={"X-API-Key": f"key-of-{name}"})

        assert post("ada", "/feedback", row | {"is_inlier": -1}).status_code == 202
        assert post("vic", "/feedback/withdraw", row).status_code == 403
        assert post("eve", "/feedback/withdraw", row).json == {"withdrawn": 0}
        assert post("ada", "/feedback/withdraw", [row, row | {"row": 7}]).json == {"withdrawn": 1}
        assert count_rows(service.engine, "labels") == 0
        assert post("ada", "/feedback/withdraw", {"row": 0}).status_code == 422
        assert post("ada", "/feedback", {"request_id": "nobody-has-it", "is_inlier": -1}).status_code == 404
        assert _refused(service) == {"unknown": 1}

        events = service.client.get("/events?about=labels", headers={"X-API-Key": "key-of-vic"}).json["events"]
        said = [(event["who"], event["what"], event["note"]) for event in events]
        assert said == [("ada", "withdrawals", "1 row"), ("ada", "labels", "1 row")]
        changes = service.client.get("/events?about=changes", headers={"X-API-Key": "key-of-vic"}).json
        assert changes == {"events": []}


def test_without_keys_another_host_is_refused(service: RecordedService):
    """A host behind a proxy on this host is refused, too."""
    label = {"request_id": ID, "is_inlier": 1}
    far = service.client.post("/feedback", json=label, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    behind = service.client.post("/feedback", json=label, headers={"X-Forwarded-For": "192.0.2.1"})

    assert (far.status_code, behind.status_code) == (403, 403)
    assert "FEEDBACK_API_KEYS_FILE" in far.json["detail"]
    assert _refused(service) == {"unauthorized": 2}


def test_unreadable_keys_allow_nobody(tmp_path: Path):
    """The answer is 503, because the service is misconfigured."""
    with start_recorded_service(tmp_path, feedback_api_keys_file=str(tmp_path / "missing")) as service:
        answer = service.client.post("/feedback", json={"request_id": ID, "is_inlier": 1})

        assert answer.status_code == 503
        assert _refused(service) == {"unavailable": 1}


@pytest.mark.parametrize(("path", "method"), [("/feedback", "POST"), ("/predictions/<request_id>", "GET")])
def test_series_of_refused_callers_start_at_0(service: RecordedService, path: str, method: str):
    """The first caller who tries a key is visible to `increase`."""
    for status in ("401", "403", "404"):
        labels = {"url_rule": path, "method": method, "status": status}
        assert service.value("flask_http_request_total", **labels) == 0


def test_limits_are_those_of_the_tables():
    """A label or a segment that is accepted can be stored."""
    assert segment.SEGMENT_CHARACTERS == tables.SEGMENT_CHARACTERS
    assert (feedback.SOURCE_CHARACTERS, feedback.NOTE_CHARACTERS) == (tables.SOURCE_CHARACTERS, tables.NOTE_CHARACTERS)
    assert f"{{1,{tables.REQUEST_ID_CHARACTERS}}}" in REQUEST_ID_PATTERN
    assert is_valid_request_id("x" * tables.REQUEST_ID_CHARACTERS)
    assert not is_valid_request_id("x" * (tables.REQUEST_ID_CHARACTERS + 1))
