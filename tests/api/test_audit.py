"""``GET /audit/next`` hands out rows for labelling, to callers with access."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.recorded_service import RecordedService, start_recorded_service
from tests.records.filled_tables import draw, make_id, name_features


@pytest.fixture
def service(recorded: RecordedService) -> RecordedService:
    """A service with thirty rows that were drawn for labelling."""
    name_features(recorded.engine)
    for number in range(30):
        draw(recorded.engine, make_id(number), number / 100)
    return recorded


def test_rows_are_handed_out_as_described(service: RecordedService):
    """Twenty rows or the requested number, without the model's answers and not to be cached."""
    answer = service.client.get("/audit/next")
    service.check(answer.json, "AuditRows")

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["rows"][0] == {
        "record_id": make_id(0),
        "row": 0,
        "answered_at": "1970-01-12T13:46:40.000Z",
        "segment": "",
        "features": {"mean": 0.56, "sd": 0.23},
    }
    assert [row["record_id"] for row in answer.json["rows"]] == [make_id(number) for number in range(20)]
    assert len(service.client.get("/audit/next?n=3").json["rows"]) == 3
    assert len(service.client.get("/audit/next?n=100").json["rows"]) == 7
    assert service.client.get("/audit/next").json == {"rows": []}


def test_handed_out_row_can_be_labelled(service: RecordedService):
    """The fields that identify a row in the queue identify it in feedback."""
    row = service.client.get("/audit/next?n=1").json["rows"][0]
    label = {"request_id": row["record_id"], "row": row["row"], "is_inlier": -1}

    assert service.client.post("/feedback", json=label).json["taken"] == 1


def test_head_request_hands_out_nothing(service: RecordedService):
    """The rows would not be handed out again for an hour."""
    answer = service.client.head("/audit/next")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, OPTIONS")
    assert len(service.client.get("/audit/next?n=100").json["rows"]) == 30


@pytest.mark.parametrize("n", ["0", "101", "x", "-1", ""])
def test_bad_number_is_refused(service: RecordedService, n: str):
    """A bad number is refused before any row is handed out."""
    assert service.client.get(f"/audit/next?n={n}").status_code == 422
    assert len(service.client.get("/audit/next?n=100").json["rows"]) == 30


def test_access_is_limited(tmp_path: Path, service: RecordedService):
    """Without keys only this host has access; with keys, callers who have one."""
    assert service.client.get("/audit/next", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
    (tmp_path / "keys").write_text("key")
    with start_recorded_service(tmp_path, feedback_api_keys_file=str(tmp_path / "keys")) as guarded:
        assert guarded.client.get("/audit/next").status_code == 401
        assert len(guarded.client.get("/audit/next", headers={"X-API-Key": "key"}).json["rows"]) == 20
