"""All labels and counts of a window are read, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, Select, text

from app.db.engine import upgrade_database
from app.quality.labels import LabelledAnswers
from app.records.quality_query import AnswerGroup, labelled_rows_query, read_quality, unanswered_audits_query
from app.records.stats import counts_query
from app.records.window import Window
from tests.records.labelled_records import writing

HOUR, DAY = 3600, 86400
MONDAY = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())
WEEK = Window(MONDAY, MONDAY + 7 * DAY)


@pytest.fixture
def database(address: str, opened: Callable[[str], Engine]) -> Engine:
    """Empty tables, in each kind of database."""
    return opened(address)


def described(answers: LabelledAnswers) -> dict[str, object]:
    """Convert answers for a comparison; rows are in no particular order."""
    audits = zip(answers.audit_probabilities, answers.audit_is_outlier, answers.audit_scores, strict=True)
    return {
        "counted": (answers.n_alarms, answers.n_inliers),
        "alarms": sorted(zip(answers.alarm_scores, answers.alarm_is_outlier, strict=True)),
        "audits": sorted(audits),
    }


def test_alarms_and_audits_are_separated(database: Engine):
    """Alarms count with their label, inliers only if the queue handed them out; counts are those of all rows."""
    with writing(database) as records:
        records.count_answers(MONDAY, n_rows=1000, n_outliers=5)
        records.add_answer(MONDAY, -1, label=-1, score=-0.9)
        records.add_answer(MONDAY, -1, label=1, score=-0.7)
        records.add_answer(MONDAY, -1, score=-0.8)  # without a label
        records.add_answer(MONDAY, 1, label=1, probability=0.001, handed_at=MONDAY + HOUR, score=-0.4)
        records.add_answer(MONDAY, 1, label=-1, probability=0.002, handed_at=MONDAY + HOUR, score=-0.5)
        records.add_answer(MONDAY, 1, label=-1, probability=0.001)  # a complaint about a row that waits in the queue
        records.add_answer(MONDAY, 1, label=-1)  # and about one that was never drawn
        records.add_answer(MONDAY, 1, probability=0.001, handed_at=MONDAY + HOUR)  # handed out, not yet labelled

    assert described(read_quality(database, WEEK, WEEK.end_hour).overall.answers) == {
        "counted": (5, 995),
        "alarms": [(-0.9, True), (-0.7, False)],
        # Two of three that were asked for have an answer.
        "audits": [(pytest.approx(0.001 * 2 / 3), False, -0.4), (pytest.approx(0.002 * 2 / 3), True, -0.5)],
    }


def test_rows_labelled_before_the_queue_reached_them_stand_for_themselves(database: Engine):
    """Complaints would otherwise make misses look frequent; a changed label is as old as the first one."""
    with writing(database) as records:
        records.count_answers(MONDAY, n_rows=1000, n_outliers=0)
        drawn: dict[str, Any] = {"probability": 0.01, "handed_at": MONDAY + DAY}
        complaints = [records.add_answer(MONDAY, 1, score=score, **drawn) for score in (-0.1, -0.2)]
        for complaint in complaints:
            records.add_label(complaint, -1, given_at=MONDAY + HOUR)
        records.add_label(complaints[1], 1, given_at=MONDAY + 2 * DAY)
        records.add_answer(MONDAY, 1, label=1, score=-0.3, **drawn)
        for _ in range(3):
            records.add_answer(MONDAY, 1, **drawn)

    audits = described(read_quality(database, WEEK, WEEK.end_hour).overall.answers)["audits"]

    assert audits == [(0.0025, False, -0.3), (0.01, False, -0.2), (0.01, True, -0.1)]


def test_label_that_was_replaced_does_not_count(database: Engine):
    """A person who changes their mind gives one label."""
    with writing(database) as records:
        records.count_answers(MONDAY, n_rows=1, n_outliers=1)
        again = records.add_answer(MONDAY, -1, label=-1)
        records.add_label(again, 1, given_at=MONDAY + DAY)

    assert described(read_quality(database, WEEK, WEEK.end_hour).overall.answers)["alarms"] == [(-0.5, False)]


def test_groups_are_parts_of_the_whole(database: Engine):
    """By version, segment and UTC day; a group without labels has its counts, one without answers is absent."""
    tuesday = MONDAY + DAY
    with writing(database) as records:
        records.count_answers(tuesday - HOUR, 100, 10, "v1", "berlin")
        records.count_answers(tuesday, 200, 20, "v1", "")
        records.count_answers(tuesday, 300, 30, "v2", "berlin")
        records.add_answer(tuesday - 1, -1, label=-1, segment="berlin")
        records.add_answer(tuesday + 1, -1, label=1, model_version="v2", segment="berlin")
        audit: dict[str, Any] = {"probability": 0.5, "handed_at": tuesday + HOUR}
        records.add_answer(tuesday + 2, 1, label=1, model_version="v2", segment="berlin", **audit)

    reading = read_quality(database, WEEK, WEEK.end_hour)
    of_v2 = read_quality(database, WEEK, WEEK.end_hour, model_version="v2")

    by_hand = {
        "all": ((60, 540), 2, 1),
        "v1": ((30, 270), 1, 0),
        "v2": ((30, 270), 1, 1),
        "": ((20, 180), 0, 0),
        "berlin": ((40, 360), 2, 1),
        date(2026, 11, 16): ((10, 90), 1, 0),
        date(2026, 11, 17): ((50, 450), 1, 1),
    }
    groups: dict[Any, AnswerGroup] = {
        "all": reading.overall,
        **reading.by_model_version,
        **reading.by_segment,
        **reading.by_day,
    }
    figures = {
        name: ((of.n_alarms, of.n_inliers), len(of.alarm_scores), len(of.audit_scores))
        for name, of in ((name, group.answers) for name, group in groups.items())
    }
    assert figures == by_hand
    assert described(of_v2.overall.answers) == described(reading.by_model_version["v2"].answers)
    assert reading.overall.model_versions == ("v1", "v2")
    assert reading.by_segment[""].model_versions == ("v1",)
    assert list(of_v2.by_segment) == ["berlin"]
    assert list(of_v2.by_day) == [date(2026, 11, 17)]


def test_window_is_of_whole_hours(database: Engine):
    """The first hour is counted from its start, the last one to its end; labels and counts agree at both."""
    since, until = MONDAY + 1.5 * HOUR, MONDAY + 3 * HOUR + 1
    with writing(database) as records:
        for hour in range(6):
            records.count_answers(MONDAY + hour * HOUR, 10**hour, 10**hour)
            records.add_answer(MONDAY + hour * HOUR, -1, label=-1, score=-hour / 10)
            records.add_answer(MONDAY + (hour + 1) * HOUR - 0.001, -1, label=-1, score=-hour / 10)

    overall = read_quality(database, Window.around(since, until), until).overall.answers

    assert overall.n_alarms == 1110
    assert sorted(overall.alarm_scores) == [-0.3, -0.3, -0.2, -0.2, -0.1, -0.1]


def test_answer_that_is_counted_after_the_window_is_no_contradiction(database: Engine):
    """A record id is made just before its answer, which may fall into the next hour; labels never exceed answers."""
    with writing(database) as records:
        records.add_answer(WEEK.end_hour - 0.001, -1, label=-1)
        records.add_answer(WEEK.end_hour - 0.001, 1, label=1, probability=0.1, handed_at=WEEK.end_hour)

    answers = read_quality(database, WEEK, WEEK.end_hour).overall.answers

    assert (answers.n_alarms, answers.n_inliers) == (1, 1)


def test_empty_database_has_no_groups(database: Engine):
    """And an empty total."""
    reading = read_quality(database, WEEK, WEEK.end_hour)

    assert described(reading.overall.answers) == {"counted": (0, 0), "alarms": [], "audits": []}
    assert (reading.by_model_version, reading.by_segment, reading.by_day) == ({}, {}, {})
    assert reading.overall.answers.alarm_scores.dtype == np.float64


def plan(engine: Engine, query: Select[Any]) -> list[str]:
    """Return SQLite's query plan."""
    compiled = query.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        return [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]


def test_rows_without_a_label_cost_nothing(sqlite: str, opened: Callable[[str], Engine]):
    """SQLite uses index searches only, from labels and drawn rows, whatever the sizes of the tables."""
    upgrade_database(sqlite)
    engine = opened(sqlite)
    with writing(engine) as records:
        for second in range(200):
            records.add_answer(MONDAY + second, 1, label=1 if second % 2 else None, probability=0.1, handed_at=0.0)
    queries = [labelled_rows_query(WEEK), unanswered_audits_query(WEEK), counts_query(WEEK)]
    before = [plan(engine, query) for query in queries]
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))

    for of_labels, of_audits, of_counts in (before, [plan(engine, query) for query in queries]):
        steps = [*of_labels, *of_audits, *of_counts]
        assert not [step for step in steps if step.startswith("SCAN")]
        ranges = [step.split()[1] for step in steps if "record_id>? AND record_id<?" in step or "hour>?" in step]
        assert ranges == ["labels", "audits", "hourly_counts"]
        assert {step.split()[1] for step in steps if "record_id=? AND row=?" in step} == {
            *("predictions", "audits", "labels", "any_label")
        }
