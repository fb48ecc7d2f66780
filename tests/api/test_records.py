"""``GET /predictions/<request_id>`` shows a recorded answer and its labels, to callers with access."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.recorded_service import RecordedService, start_recorded_service
from tests.records.filled_tables import add_writer, make_id, name_features, record

ID = make_id(1)

EXPLANATION = {
    "contributions": {"mean": -0.05, "sd": 0.61},
    "baseline": -1.2,
    "reasons": ["sd = 0.23 is higher than 99.9 % of training rows"],
    "counterfactual": None,
    "p_value": 0.001,
    "notes": {"counterfactual": "none was found"},
}


@pytest.fixture
def service(recorded: RecordedService) -> RecordedService:
    """A service with one recorded request of three rows."""
    name_features(recorded.engine)
    for row in range(3):
        explanation = json.dumps(EXPLANATION) if row == 1 else None
        more = {"request_id": "theirs", "segment": "DE", "answered_at": 1_795_000_000.25, "explanation": explanation}
        record(recorded.engine, ID, row, **more)
    return recorded


def test_answer_is_shown_as_described(service: RecordedService, monkeypatch: pytest.MonkeyPatch):
    """The answer has the current label, those that it replaced, and pending ones."""
    monkeypatch.setattr("app.records.feedback._WAIT_SECONDS", 0.0)
    add_writer(service.engine)
    for is_inlier in (1, -1):
        label = {"request_id": "theirs", "row": 1, "is_inlier": is_inlier, "source": "desk", "note": "seen"}
        assert service.client.post("/feedback", json=label).status_code == 202
    service.client.post("/feedback", json={"request_id": "theirs", "row": 9, "is_inlier": 1})
    answer = service.client.get("/predictions/theirs")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    service.check(answer.json, "RecordedAnswer")
    assert answer.json["record_id"] == ID
    assert answer.json["same_request_id"] == [ID]
    assert answer.json["answered_at"] == "2026-11-18T11:06:40.250Z"
    assert (answer.json["segment"], answer.json["next_first_row"]) == ("DE", None)
    row = answer.json["rows"][1]
    assert row["features"] == {"mean": 0.56, "sd": 0.23}
    assert (row["anomaly_score"], row["is_inlier"], row["confidence"], row["recorded_share"]) == (-0.45, 1, 0.9, 1)
    assert (row["label"]["is_inlier"], row["label"]["source"], row["label"]["note"]) == (-1, "desk", "seen")
    assert [label["is_inlier"] for label in row["history"]] == [1]
    assert row["history"][0]["replaced_at"] == row["label"]["given_at"]
    assert answer.json["rows"][0]["label"] is None
    assert [row["explanation"] for row in answer.json["rows"]] == [None, EXPLANATION, None]
    assert [(label["row"], label["is_inlier"]) for label in answer.json["waiting_labels"]] == [(9, 1)]
    assert service.client.get(f"/predictions/{ID}").json == answer.json


def test_pages_follow_each_other(service: RecordedService):
    """Each page has the first row of the next one."""
    first = service.client.get("/predictions/theirs?n=2").json
    second = service.client.get(f"/predictions/theirs?n=2&first_row={first['next_first_row']}").json

    assert [row["row"] for row in first["rows"]] == [0, 1]
    assert ([row["row"] for row in second["rows"]], second["next_first_row"]) == ([2], None)


@pytest.mark.parametrize(
    "path", ["nobody", "two words", "a%00b", "%F0%9F%8D%8C", "x" * 200, "theirs?first_row=3", ID + "0"]
)
def test_unknown_answer_is_not_found(service: RecordedService, path: str):
    """The answer is 404 with a reason, whatever the path contains."""
    answer = service.client.get(f"/predictions/{path}")

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert "Nothing is recorded" in answer.json["detail"]


@pytest.mark.parametrize(
    "query",
    ["n=0", "n=1001", "n=", "n=many", "n=1&n=2", "n=05", "n=1.0", "n=٣", "first_row=-1", "first_row=2147483648"],
)
def test_bad_page_is_refused(service: RecordedService, query: str):
    """The answer is 422 with the parameter and its limits."""
    answer = service.client.get(f"/predictions/theirs?{query}")

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]
    assert "expected a whole number from" in answer.json["detail"]


def test_access_is_limited(tmp_path: Path, service: RecordedService):
    """Without keys only this host has access; with keys, callers who have one."""
    far = {"REMOTE_ADDR": "192.0.2.1"}
    assert service.client.get("/predictions/theirs", environ_base=far).status_code == 403
    (tmp_path / "keys").write_text("key")
    with start_recorded_service(tmp_path, feedback_api_keys_file=str(tmp_path / "keys")) as guarded:
        assert guarded.client.get("/predictions/theirs").status_code == 401
        headers = {"X-API-Key": "key"}
        assert guarded.client.get("/predictions/theirs", environ_base=far, headers=headers).status_code == 200


def test_misspelt_parameter_is_refused(service: RecordedService):
    """It would silently return the first page."""
    answer = service.client.get("/predictions/theirs?first=2&n=1")

    assert (answer.status_code, answer.json["detail"]) == (422, "first: unknown, expected first_row or n")
