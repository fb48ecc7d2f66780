"""``/overview``, ``/timeline`` and ``/events``: the state in a sentence, counts over time, and who did what."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from app.api.state_in_words import Known, next_step, summarize
from app.db.engine import write_transaction
from app.db.tables import HOURLY_COUNTS, MINUTE_COUNTS
from app.records.events import add_event
from tests.api.recorded_service import RecordedService, start_recorded_service

HOUR = {"rows": 900, "alarms": 3, "usual_alarms": 2.5}
CALM = {"cvm": {"state": "no drift", "feature": ""}}
DRIFTING = {"cvm": {"state": "drift", "feature": "sd"}, "mmd": {"state": "drift", "feature": ""}}
KNOWN = {"recall": {"value": 0.82, "low": 0.78, "high": 0.86}, "recall_reason": ""}
WIDE = {"recall": {"value": 1.0, "low": 0.043, "high": 1.0}, "recall_reason": ""}
UNKNOWN = {"recall": {"value": None}, "recall_reason": "not enough labels"}


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        (
            {},
            "good",
            "Working. 3 alarms in the last hour, as many as usual. No drift. Recall 82 % (95 % interval 78 to 86 %).",
        ),
        ({"hour": HOUR | {"alarms": 1}}, "good", "1 alarm in the last hour"),
        (
            {"hour": HOUR | {"alarms": 0, "usual_alarms": 50}},
            "good",
            "No alarms in the last hour, fewer than",
        ),
        ({"hour": HOUR | {"alarms": 30}}, "attention", "more than the usual 2.5"),
        (
            {"hour": HOUR | {"usual_alarms": None}},
            "good",
            "3 alarms in the last hour: 0.33 % of rows, 1 % in training. No",
        ),
        ({"hour": HOUR | {"usual_alarms": None}, "training_share": None}, "good", "3 alarms in the last hour. No"),
        ({"hour": None, "records_problem": "Records are off."}, "good", "Working. Records are off. No drift"),
        ({"drift": DRIFTING}, "attention", "Drift of sd."),
        ({"drift": None}, "good", "Drift is not known."),
        ({"drift": {}}, "good", "Drift is not watched."),
        ({"drift": {"cvm": {"state": "not enough rows yet", "feature": ""}}}, "good", "Too few rows yet"),
        ({"quality": UNKNOWN}, "good", "Recall unknown: not enough labels."),
        ({"model_problem": "Train one."}, "bad", "Not working: no model is live. Train one."),
    ],
)
def test_sentence_sums_up_the_state(changes: dict[str, Any], state: str, words: str):
    """What somebody has to do comes first."""
    found, summary = summarize(known(**changes))
    assert (found, words in summary) == (state, True), summary


@pytest.mark.parametrize(
    ("changes", "view"),
    [
        ({}, None),
        ({"quality": None}, None),
        ({"quality": UNKNOWN}, "review"),
        ({"quality": WIDE}, "review"),
        ({"hour": HOUR | {"alarms": 30}, "quality": UNKNOWN}, "alarms"),
        ({"drift": DRIFTING, "hour": HOUR | {"alarms": 30}}, "drift"),
        ({"drift": DRIFTING, "model_problem": "Train one."}, "models"),
    ],
)
def test_next_step_is_the_most_urgent_one(changes: dict[str, Any], view: str | None):
    """It links to the view in which it is done; there is none if all is well."""
    step = next_step(known(**changes))
    assert (step and step["view"]) == view


def known(**changes: Any) -> Known:
    """Return a service of which nothing needs attention, with changes."""
    calm: dict[str, Any] = {"model_problem": None, "records_problem": "", "training_share": 0.01}
    return Known(**calm | {"hour": HOUR, "drift": CALM, "quality": KNOWN} | changes)


def test_overview_counts_all_answers(client, service):
    """Without records too, and the page of a browser stands on the same route."""
    client.post("/predictions", json={"feature_vectors": [[-0.15, -0.1], [0.5, 40.0]]})
    answer = client.get("/overview").json
    counters = answer["counters"]
    assert [counters[name] for name in ("requests", "errors", "rows", "outliers")] == [1, 0, 2, 1]
    assert counters["seconds"]["+Inf"] == 1
    assert (answer["drift"], answer["quality"], answer["hour"]) == (None, None, None)
    assert client.get("/", headers={"Accept": "text/html"}).mimetype == "text/html"


@pytest.fixture
def counted(tmp_path: Path):
    """Rows of the last minutes and hours, and two events."""
    now = time.time()
    minute = int(now) // 60 * 60
    with start_recorded_service(tmp_path, api_keys_file="") as service:
        with write_transaction(service.engine) as connection:
            for age, rows, outliers in ((1, 10, 1), (2, 20, 0), (70, 5, 5)):
                line = {"minute": minute - 60 * age, "n_rows": rows, "n_outliers": outliers}
                connection.execute(insert(MINUTE_COUNTS).values(line))
            hour = {"hour": int(now) // 3600 * 3600 - 48 * 3600, "model_version": "v1", "segment": ""}
            connection.execute(insert(HOURLY_COUNTS).values(hour | {"n_rows": 480, "n_outliers": 96}))
            add_event(connection, "ann", "promotion", "v1", "v2", at=1.0)
            add_event(connection, "bob", "rollback", "v2", "v1", at=2.0)
        yield service


def test_timeline_has_every_step(counted: RecordedService):
    """Also those without answers, so that a chart shows a pause as one."""
    by_minute = counted.client.get("/timeline?window=1h&step=1m").json
    counted.check(by_minute, "TimelineAnswer")
    assert len(by_minute["starts"]) == len(by_minute["rows"]) in (61, 62)
    assert (sum(by_minute["rows"]), sum(by_minute["alarms"])) == (30, 1)
    by_hour = counted.client.get("/timeline?window=24h&step=1h").json
    assert (sum(by_hour["rows"]), sum(by_hour["alarms"]), by_hour["step_seconds"]) == (35, 6, 3600)
    assert counted.client.get("/timeline?window=7d").json["step_seconds"] == 3600
    hour = counted.client.get("/overview").json["hour"]
    assert (hour["rows"], hour["alarms"]) == (30, 1)
    assert hour["usual_alarms"] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("query", ["window=24h&step=1s", "window=24h&step=0m", "window=30d&step=1m", "windows=1h"])
def test_wrong_steps_are_refused(counted: RecordedService, query: str):
    """A chart of a million points would help nobody."""
    assert counted.client.get(f"/timeline?{query}").status_code == 422


def test_last_events_come_first(counted: RecordedService):
    """With who did it."""
    answer = counted.client.get("/events?n=1").json
    counted.check(answer, "AuditEvents")
    assert [(event["who"], event["what"], event["after"]) for event in answer["events"]] == [("bob", "rollback", "v1")]
