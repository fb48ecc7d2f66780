"""A column of times in requests: hour of day and day of week decide, and answers name the hour of the week."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.api.service import service_of
from app.settings import Settings
from training.__main__ import main


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Return a service whose model saw office hours, and few others."""
    folder = tmp_path_factory.mktemp("times")
    random = np.random.default_rng(4)
    days, hours = random.integers(0, 28, 600), random.integers(8, 18, 600)
    days, hours = days // 7 * 7 + days % 5, np.where(np.arange(600) < 12, random.integers(0, 24, 600), hours)
    days[:12] = random.integers(0, 28, 12)
    at = pd.Timestamp("2026-11-02") + pd.to_timedelta(days, "D") + pd.to_timedelta(hours, "h")
    pd.DataFrame({"at": at, "value": random.normal(size=600)}).to_csv(folder / "sensor.csv", index=False)
    files = ["--train", str(folder / "sensor.csv"), "--models", str(folder / "models"), "--time-parts", "at"]
    assert main(["train", *files, "--contamination", "0.02", "--metrics-port", "0", "--seed", "1"]) == 0
    app = create_app(Settings(model_dir=str(folder / "models"), database_url=f"sqlite:///{Path(folder)}/none/r.db"))
    yield app
    service_of(app).close()


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    """Return its client."""
    return service.test_client()


def ask(client: FlaskClient, at: Any, **options: Any) -> dict[str, Any]:
    """Return the answer to a time with an ordinary value."""
    answer = client.post("/prediction", json={"features": {"at": at, "value": 0.0}, "score": True, **options})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def test_an_unusual_hour_is_more_abnormal(client):
    """With the same value, in any week."""
    usual, night, sunday = (ask(client, at) for at in ("2027-06-01T12:30:00+02:00", "2027-06-01 03:00", "Sun 12:00"))

    assert usual["is_inlier"] == 1
    assert max(night["anomaly_score"], sunday["anomaly_score"]) < usual["anomaly_score"] - 0.02
    assert ask(client, "2026-11-03T12:00")["anomaly_score"] == usual["anomaly_score"]


def test_explanation_names_the_hour(client):
    """As a level, with its share of the training rows."""
    answer = ask(client, "2027-06-01T03:00", explain=True)

    assert answer["reasons"][0].startswith("at = Tue 03:00, as in 0")
    total = sum(answer["contributions"].values()) + answer["baseline"]
    assert total == pytest.approx(np.log2(-answer["anomaly_score"]))


def test_csv_and_batches_take_times(client):
    """As they take texts."""
    expected = ask(client, "2026-11-03T12:00")["anomaly_score"]

    csv = client.post("/predictions?score=true", data="value,at\n0,2026-11-03 12:00\n", content_type="text/csv")
    batch = client.post("/predictions", json={"feature_vectors": [["2026-11-03T12:59", 0.0]], "score": True})

    assert float(csv.text.splitlines()[1].split(",")[1]) == expected
    assert batch.json["anomaly_score"] == [expected]


@pytest.mark.parametrize("value", ["noon", 12, None, "2026-13-01"])
def test_what_is_no_time_is_refused(client, value):
    """With an example of a time."""
    answer = client.post("/prediction", json={"features": {"at": value, "value": 0.0}})

    assert answer.status_code == 422
    [error] = answer.json["errors"]
    expected = "expected a text, got null" if value is None else "expected a time such as 2026-01-31T15:05:00, got"
    assert error["message"].removeprefix("at: ").startswith(expected)
