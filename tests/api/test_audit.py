"""``/audit/next``: POST hands out rows for labelling, to callers with access; GET only shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from app.db.tables import AUDITS
from tests.api.recorded_service import RecordedService, start_recorded_service
from tests.records.filled_tables import draw, make_id, name_features, record


@pytest.fixture
def service(recorded: RecordedService) -> RecordedService:
    """A service with thirty rows that were drawn for labelling."""
    name_features(recorded.engine)
    for number in range(30):
        draw(recorded.engine, make_id(number), number / 100)
    return recorded


def take(service: RecordedService, n: int) -> list[dict[str, object]]:
    """Take rows."""
    rows: list[dict[str, object]] = service.client.post("/audit/next", json={"n": n}).json["rows"]
    return rows


def test_rows_are_handed_out_as_described(service: RecordedService):
    """Twenty rows or the requested number, without the model's answers and not to be cached."""
    answer = service.client.post("/audit/next")
    service.check(answer.json, "AuditRows")

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["rows"][0] == {
        "record_id": make_id(0),
        "row": 0,
        "answered_at": "1970-01-12T13:46:40.000Z",
        "segment": "",
        "features": {"mean": 0.56, "sd": 0.23},
        "places": {},  # the store does not have the version that answered
    }
    assert [row["record_id"] for row in answer.json["rows"]] == [make_id(number) for number in range(20)]
    assert len(service.client.post("/audit/next?n=3").json["rows"]) == 3
    assert len(take(service, 100)) == 7
    assert service.client.post("/audit/next", json={}).json == {"rows": []}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_hands_out_nothing(service: RecordedService, method: str):
    """GET shows what POST hands out next, announces its end, and leaves the queue as it was."""
    shown = service.client.open("/audit/next?n=5", method=method)

    assert shown.status_code == 200
    assert shown.headers["Deprecation"] == "@1795910400"
    assert 'rel="deprecation"' in shown.headers["Link"]
    with service.engine.connect() as connection:
        assert connection.scalars(select(AUDITS.c.handed_at).distinct()).all() == [None]
    if method == "GET":
        assert take(service, 5) == shown.json["rows"]


def test_handed_out_row_can_be_labelled(service: RecordedService):
    """The fields that identify a row in the queue identify it in feedback."""
    [row] = take(service, 1)
    label = {"request_id": row["record_id"], "row": row["row"], "is_inlier": -1}

    assert service.client.post("/feedback", json=label).json["taken"] == 1


@pytest.mark.parametrize("n", ["0", "101", "x", "-1", ""])
def test_bad_number_is_refused(service: RecordedService, n: str):
    """A bad number is refused before any row is handed out."""
    assert service.client.post(f"/audit/next?n={n}").status_code == 422
    assert service.client.post("/audit/next", json={"n": n}).status_code == 422
    assert len(take(service, 100)) == 30


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_body_that_is_not_json_is_refused(service: RecordedService, media_type: str | None):
    """Nothing is handed out to a form or to a script that may not send JSON."""
    answer = service.client.post("/audit/next", data=b'{"n": 5}', content_type=media_type)

    assert answer.status_code == 415
    assert "application/json" in answer.json["detail"]
    assert len(take(service, 100)) == 30


def test_access_is_limited(tmp_path: Path, service: RecordedService):
    """Without keys only this host has access; with keys, callers who have one."""
    for method in ("GET", "POST"):
        far = service.client.open("/audit/next", method=method, environ_base={"REMOTE_ADDR": "192.0.2.1"})
        assert far.status_code == 403
    (tmp_path / "keys").write_text("key")
    with start_recorded_service(tmp_path, feedback_api_keys_file=str(tmp_path / "keys")) as guarded:
        assert guarded.client.post("/audit/next").status_code == 401
        assert len(guarded.client.post("/audit/next", headers={"X-API-Key": "key"}).json["rows"]) == 20


def test_kind_of_rows_is_chosen(service: RecordedService):
    """Alarms, both kinds mixed, or labelled rows for a second person; another kind is refused."""
    alarm = make_id(99)
    record(service.engine, alarm, is_inlier=-1)
    with service.engine.begin() as connection:
        line = {"record_id": alarm, "row": 0, "probability": 1.0, "position": 0.5, "is_inlier": -1}
        connection.execute(insert(AUDITS).values(line))

    def take_kind(kind: str) -> list[str]:
        rows = service.client.post(f"/audit/next?kind={kind}&n=4").json["rows"]
        return [row["record_id"] for row in rows]

    assert take_kind("second") == []
    assert take_kind("mixed") == [*map(make_id, range(3)), alarm]
    assert take_kind("alarms") == []
    service.client.post("/feedback", json={"request_id": alarm, "is_inlier": -1})
    assert take_kind("second") == [alarm]
    refused = service.client.post("/audit/next?kind=outliers")
    assert refused.status_code == 422
    assert "inliers or alarms or mixed or second" in refused.json["errors"][0]["message"]
