"""``/alarms`` lists recorded outliers with filters, shows why each is one, and takes notes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.db.engine import write_transaction
from app.records.alarms import AlarmFilter, read_alarms
from app.records.lookup import RecordKey
from tests.api.recorded_service import RecordedService, start_recorded_service
from tests.records.example_records import START, add_label, add_record, add_version, record_id_at

# The alarms of the minutes below; what nobody said anything about has no name.
TRUE, FALSE, UNSURE, FRESH, OTHER = 1, 2, 3, 4, 5

REASONS = json.dumps(
    {"reasons": ["sd = 9 is higher than all training rows"], "contributions": {"mean": 0.0, "sd": 1.0}}
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedService]:
    """Alarms between inliers, a minute apart."""
    with start_recorded_service(tmp_path_factory.mktemp("alarms")) as service:
        with write_transaction(service.engine) as connection:
            add_version(connection, "v1", "mean", "sd")
            add_version(connection, "v2", "=cmd", "sd")
            for minute in (TRUE, FALSE, UNSURE, FRESH):
                add_record(connection, 60 * minute, segment="de", score=-0.6 - minute / 100, is_inlier=-1)
                add_record(connection, 60 * minute + 30)
            changed = {"model_version": "v2", "segment": "=1+1", "explanation": REASONS}
            add_record(connection, 60 * OTHER, 2, score=-0.9, is_inlier=-1, **changed)
            add_label(connection, record_id_at(60 * TRUE), note="a <b>card</b>")
            add_label(connection, record_id_at(60 * FALSE), is_inlier=1)
        assert (
            service.client.post(f"/alarms/{record_id_at(60 * UNSURE)}/note", json={"is_unsure": True}).status_code
            == 204
        )
        yield service


def test_values_of_categories_are_shown_and_compared_as_such(tmp_path: Path):
    """By their levels; two different levels are equally far apart, whichever numbers stand for them."""
    with start_recorded_service(tmp_path) as service:
        with write_transaction(service.engine) as connection:
            country = {"name": "country", "levels": ["DE", "FR", "=IT"]}
            add_version(connection, "v1", "amount", country)
            for minute, values in enumerate(([1.0, 0.0], [2.0, 2.0], [2.0, np.nan], [1.0, 1.0])):
                features = np.array(values, "<f4").tobytes()
                add_record(connection, 60 * minute, is_inlier=-1, features=features, unfamiliar=None)
            features = np.array([1.0, -1.0], "<f4").tobytes()
            unfamiliar = json.dumps({"country": "new level"})
            newest = add_record(
                connection, 600, is_inlier=-1, features=features, unfamiliar=unfamiliar, confidence=None
            )

        listed = service.client.get("/alarms").json
        service.check(listed, "AlarmPage")
        assert [alarm["features"]["country"] for alarm in listed["alarms"]] == [None, "FR", None, "=IT", "DE"]
        detail = service.client.get(f"/alarms/{newest}")
        assert detail.status_code == 200, detail.text
        service.check(detail.json, "AlarmDetail")
        assert detail.json["unfamiliar"] == {"country": "new level"}
        # Of two columns, one differs by 1: the root of the mean of 0 and 1; else both do.
        assert [alarm["distance"] for alarm in detail.json["similar"]] == pytest.approx([0.5**0.5] * 2 + [1.0] * 2)
        table = service.client.get("/alarms", headers={"Accept": "text/csv"}).text
        assert [row["feature:country"] for row in csv.DictReader(io.StringIO(table))] == ["", "FR", "", "'=IT", "DE"]


def minutes_of(recorded: RecordedService, query: str) -> list[float]:
    """Return the minutes of the alarms that a query finds."""
    answer = recorded.client.get(f"/alarms{query}")
    assert answer.status_code == 200, answer.text
    recorded.check(answer.json, "AlarmPage")
    return [(int(alarm["record_id"][:12], 16) / 1000 - START) / 60 for alarm in answer.json["alarms"]]


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ("", [OTHER, OTHER, FRESH, UNSURE, FALSE, TRUE]),
        ("?n=2", [OTHER, OTHER]),
        ("?since=2026-11-01T00:02:00Z&until=2026-11-01T00:04:00Z", [UNSURE, FALSE]),
        ("?segment=de&model_version=v1", [FRESH, UNSURE, FALSE, TRUE]),
        ("?segment=", []),
        ("?model_version=v2", [OTHER, OTHER]),
        ("?label=none", [OTHER, OTHER, FRESH]),
        ("?label=true", [TRUE]),
        ("?label=false", [FALSE]),
        ("?label=unsure", [UNSURE]),
        ("?reason=sd", [OTHER, OTHER]),
        ("?reason=mean", []),
        ("?reason=s%25", []),
        ("?max_score=-0.635", [OTHER, OTHER, FRESH]),
    ],
)
def test_filters_choose_alarms(recorded: RecordedService, query: str, minutes: list[float]):
    """The newest first; inliers never."""
    assert minutes_of(recorded, query) == minutes


def test_pages_follow_each_other(recorded: RecordedService):
    """Each alarm is on one page, also where a request has several."""
    rows, cursor = [], ""
    while cursor is not None:
        page = recorded.client.get("/alarms?n=1" + (f"&cursor={cursor}" if cursor else "")).json
        rows += [(alarm["record_id"], alarm["row"]) for alarm in page["alarms"]]
        cursor = page["next_cursor"]
    assert rows == sorted(set(rows), reverse=True)
    assert len(rows) == 6


def test_rare_filters_search_a_page_at_a_time(recorded: RecordedService, monkeypatch: pytest.MonkeyPatch):
    """However many alarms there are, a request looks at a limited number, and says where to go on."""
    monkeypatch.setattr("app.records.alarms._MAX_SCANNED", 2)
    with recorded.engine.connect() as connection:
        wanted, before = AlarmFilter(known="true"), None
        pages: list[int] = []
        while not pages or before is not None:
            found, before = read_alarms(connection, wanted, before, 10)
            pages.append(len(found))
    assert pages == [0, 0, 1, 0]


def test_a_page_reads_the_index_of_alarms(recorded: RecordedService):
    """Inliers, which are nearly all rows, are not read."""
    from app.records import alarms

    with recorded.engine.connect() as connection:
        statement = alarms.select_newest(RecordKey("f" * 32, 0), 10, since=START)
        compiled = statement.compile(connection)
        values = tuple(compiled.params[name] for name in compiled.positiontup)
        plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values))
    assert "USING INDEX predictions_that_are_alarms" in plan
    assert "TEMP B-TREE" not in plan


def test_tables_have_no_formulas(recorded: RecordedService):
    """Texts of strangers stay texts in a spreadsheet, and a header leads to the next page."""
    answer = recorded.client.get("/alarms?n=1", headers={"Accept": "text/csv"})
    assert answer.mimetype == "text/csv"
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["segment"], row["feature:=cmd"]) == ("'=1+1", "1.0")
    assert answer.headers["Link"].startswith("<alarms?n=1&cursor=")
    lines = recorded.client.get("/alarms?label=true", headers={"Accept": "application/x-ndjson"})
    assert json.loads(lines.text)["note"] == "a <b>card</b>"
    assert "Link" not in lines.headers
    assert recorded.client.get("/alarms", headers={"Accept": "image/png"}).status_code == 406


@pytest.mark.parametrize(
    "query",
    [
        *(
            "?label=maybe",
            "?cursor=abc",
            "?since=soon",
            "?max_score=1",
            "?n=0",
            "?labels=none",
            f"?segment={'x' * 201}",
        ),
        *("?since=1h&until=2h", "?min_score=-0.2&max_score=-0.4"),
    ],
)
def test_wrong_filters_are_refused(recorded: RecordedService, query: str):
    """None is ignored, which would mean all alarms."""
    assert recorded.client.get(f"/alarms{query}").status_code == 422


def test_alarm_has_similar_ones_and_labels(recorded: RecordedService):
    """Earlier alarms with the nearest values, and how they were labelled."""
    answer = recorded.client.get(f"/alarms/{record_id_at(60 * FRESH)}")
    recorded.check(answer.json, "AlarmDetail")
    similar = answer.json["similar"]
    assert [other["distance"] for other in similar] == [0, 0, 0]
    assert {other["label"]["is_inlier"] for other in similar if other["label"]} == {1, -1}
    # Of three with the same values, two are labelled already.
    assert answer.json["identical"] == [{"record_id": record_id_at(60 * UNSURE), "row": 0}]
    assert answer.json["places"] == {}  # the model is gone
    assert answer.headers["Cache-Control"] == "no-store"


def test_inliers_and_unknown_rows_are_not_found(recorded: RecordedService):
    """A note about them would never be seen."""
    for path in (f"{record_id_at(90)}", f"{record_id_at(60)}?row=7", "f" * 32):
        assert recorded.client.get(f"/alarms/{path}").status_code == 404
    assert recorded.client.post(f"/alarms/{record_id_at(90)}/note", json={}).status_code == 404


def test_live_model_places_values_and_explains(tmp_path: Path, credits_models: Path):
    """Also an alarm that was not explained when it was recorded."""
    (tmp_path / "models").symlink_to(credits_models)
    version = (credits_models / "current").resolve().name
    with start_recorded_service(tmp_path) as service:
        with write_transaction(service.engine) as connection:
            add_version(connection, version, "mean", "sd")
            add_record(connection, 60, 8, model_version=version, score=-0.7, is_inlier=-1)
        detail = service.client.get(f"/alarms/{record_id_at(60)}?row=7").json
        service.check(detail, "AlarmDetail")
    assert list(detail["places"]) == ["mean", "sd"]
    assert 0.9 < detail["places"]["mean"]["share"] <= 1
    assert detail["explanation"]["contributions"].keys() == {"mean", "sd"}
    assert detail["similar"][0]["row"] == 6
