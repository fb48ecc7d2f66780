"""``GET /quality`` answers from the records, as the OpenAPI document describes it."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from app import create_app
from app.api.service import service_of
from app.db.engine import open_database, upgrade_database
from app.settings import Settings
from tests.records.labelled_records import Records, writing

HOUR, DAY = 3600, 86400


@pytest.fixture
def address(tmp_path: Path) -> str:
    """The URL of a database with empty tables."""
    address = f"sqlite:///{tmp_path / 'records.db'}"
    upgrade_database(address)
    return address


@pytest.fixture
def fill(address: str) -> Iterator[Callable[[Callable[[Records], None]], None]]:
    """Return a function that writes into the database."""
    engine = open_database(address)

    def write(records_of: Callable[[Records], None]) -> None:
        with writing(engine) as records:
            records_of(records)

    yield write
    engine.dispose()


@pytest.fixture
def make_client(tmp_path: Path, address: str) -> Iterator[Callable[..., FlaskClient]]:
    """Return a function that builds a service on the database and returns its client."""
    services: list[Flask] = []

    def make(**settings: object) -> FlaskClient:
        folders = {"model_dir": str(tmp_path / "models"), "state_dir": str(tmp_path / "state")}
        given: dict[str, Any] = folders | {"database_url": address} | settings
        services.append(create_app(Settings(**given)))
        return services[-1].test_client()

    yield make
    for service in services:
        service_of(service).close()


def add_a_day(records: Records) -> None:
    """Add ten alarms of which eight are true and four audited inliers, yesterday and the day before."""
    for day in (2, 1):
        at = time.time() - day * DAY
        records.count_answers(at, n_rows=1000, n_outliers=50, model_version=f"v{day}", segment="berlin" * (day == 1))
        for number in range(5):
            label = 1 if number == 0 else -1
            records.add_answer(at + number, -1, label=label, model_version=f"v{day}", segment="berlin" * (day == 1))
        for number in range(2):
            audit: dict[str, Any] = {"probability": 0.01, "handed_at": at + HOUR}
            records.add_answer(at + number, 1, label=1, model_version=f"v{day}", segment="berlin" * (day == 1), **audit)


def test_figures_equal_a_calculation_by_hand(make_client, fill):
    """Overall and by version, segment and day; the answer follows the OpenAPI document."""
    fill(add_a_day)
    client = make_client()

    answer = client.get("/quality")

    document = client.get("/openapi.json").json
    Draft202012Validator({"$ref": "#/components/schemas/QualityReport", "components": document["components"]}).validate(
        answer.json
    )
    whole = answer.json["overall"]
    z, n, share = 1.959964, 10, 0.8  # Wilson, 1927
    middle, reach = share + z * z / 2 / n, z * math.sqrt(share * (1 - share) / n + z * z / 4 / n / n)
    assert (whole["rows"], whole["outliers"], whole["labelled_alarms"], whole["audited_inliers"]) == (2000, 100, 10, 4)
    assert whole["outlier_ratio"]["value"] == 0.05
    assert whole["figures"]["precision"] == {
        "value": 0.8,
        "low": pytest.approx((middle - reach) / (1 + z * z / n)),
        "high": pytest.approx((middle + reach) / (1 + z * z / n)),
        "labels": 10,
        "reason": "",
    }
    assert whole["figures"]["recall"]["value"] == 1  # no audited inlier was a miss
    assert whole["figures"]["recall"]["low"] < 0.5  # but few inliers were audited
    assert whole["figures"]["f1"]["value"] is None
    assert (whole["alarms_from"], whole["other_labelled_alarms"]) == ("all labels", 10)
    assert (answer.json["maturity"]["source"], answer.json["maturity"]["hours"]) == ("unknown", 0)
    assert [each["wrong_labels"] for each in answer.json["sensitivity"]] == [0.001, 0.005, 0.02]
    assert answer.json["label_noise"]["estimated"]["labels"] == 0
    assert answer.json["warnings"] == []
    assert "not enough labels" in whole["figures"]["f1"]["reason"]
    groups = [*answer.json["by_model_version"], *answer.json["by_segment"], *answer.json["by_day"]]
    assert [group.get("model_version", group.get("segment")) for group in groups[:4]] == ["v1", "v2", "", "berlin"]
    assert [(group["rows"], group["figures"]["precision"]["value"]) for group in groups] == [(1000, 0.8)] * 6


def test_settings_of_quality_apply(make_client, fill):
    """A day's answers are too young for LABEL_MATURITY_HOURS=30; LABEL_NOISE raises the lower end of recall."""
    fill(add_a_day)
    as_usual = make_client().get("/quality").json
    answer = make_client(label_maturity_hours=30, label_noise=0.02).get("/quality").json

    assert answer["maturity"]["source"] == "set"
    assert answer["maturity"]["counted_until"] < as_usual["maturity"]["counted_until"]
    assert (answer["overall"]["rows"], answer["overall"]["labelled_alarms"]) == (2000, 5)
    assert answer["label_noise"]["assumed"] == 0.02
    recall, usual = (each["overall"]["figures"]["recall"]["low"] for each in (answer, as_usual))
    assert recall != usual


def test_scores_of_two_versions_are_not_compared(make_client, fill):
    """A ranking across two models is meaningless, so these figures are per version only."""

    def add_many(records: Records) -> None:
        at = time.time() - DAY
        for version in ("v1", "v2"):
            records.count_answers(at, 10_000, 100, model_version=version)
            for number in range(60):
                answer: dict[str, Any] = {"model_version": version, "score": -0.5 - number / 1000}
                records.add_answer(at, -1, label=-1 if number >= 15 else 1, **answer)
                audit: dict[str, Any] = {"probability": 0.01, "handed_at": at + HOUR}
                records.add_answer(at, 1, label=1, model_version=version, score=-0.4, **audit)

    fill(add_many)

    answer = make_client().get("/quality").json

    assert answer["overall"]["figures"]["f1"]["value"] is not None
    assert "2 model versions" in answer["overall"]["figures"]["roc_auc"]["reason"]
    assert all(group["figures"]["roc_auc"]["value"] > 0.9 for group in answer["by_model_version"])


@pytest.mark.parametrize(("window", "rows"), [("24h", 0), ("26h", 1000), ("2d", 1000), ("30d", 2000)])
def test_window_is_chosen(make_client, fill, window: str, rows: int):
    """A window is given in hours or days, up to the retention time."""
    fill(lambda records: [records.count_answers(time.time() - hours * HOUR, 1000, 1) for hours in (25, 480)])

    answer = make_client().get(f"/quality?window={window}").json

    assert answer["window"]["asked"] == window
    assert answer["overall"]["rows"] == rows


@pytest.mark.parametrize(
    "query", ["window=31d", "window=721h", "window=0d", "window=7", "window=", "window=7d&window=1d"]
)
def test_other_windows_are_refused(make_client, query: str):
    """The refusal says which windows are accepted."""
    answer = make_client().get(f"/quality?{query}")

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "window"
    assert "up to the 30d" in answer.json["detail"]


def test_default_window_is_not_longer_than_the_retention_time(make_client):
    """A request without a window succeeds even if records are kept for less than the usual window."""
    answer = make_client(record_retention_days=3).get("/quality")

    assert (answer.status_code, answer.json["window"]["asked"]) == (200, "3d")


def test_other_parameters_are_refused(make_client):
    """A misspelt name would otherwise mean the default window."""
    answer = make_client().get("/quality?windw=24h")

    assert answer.status_code == 422
    assert answer.json["errors"] == [{"field": "windw", "message": "unknown, expected window"}]


def test_services_without_records_say_so(make_client, address: str):
    """If records are off or cannot be read, the answer is 503 and never 500."""
    off = make_client(record_predictions=0.0).get("/quality")
    with sqlite3.connect(address.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TABLE hourly_counts")
    connection.close()
    broken = make_client().get("/quality")

    assert (off.status_code, broken.status_code) == (503, 503)
    assert "RECORD_PREDICTIONS" in off.json["detail"]
    assert "unavailable" in broken.json["detail"]
