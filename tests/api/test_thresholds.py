"""``GET /thresholds`` tells what other thresholds would have done on recorded traffic."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sqlalchemy import update

from app.db.tables import PREDICTIONS
from app.model.bundle import Bundle, read_bundle
from tests.api.recorded_service import RecordedService, start_recorded_service
from tests.records.labelled_records import Records, writing
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset

DAY = 86_400.0


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model with out-of-bag scores, once."""
    rows = np.random.default_rng(1).normal(size=(1000, 2))
    estimator = IsolationForest(n_estimators=20, contamination=0.05, random_state=1).fit(rows)
    data = Dataset(("mean", "sd"), rows, Path("rows.csv"), "0" * 64, ("mean", "sd"))
    folder = tmp_path_factory.mktemp("thresholds")
    write_bundle(folder / "models", TrainedModel("credits", estimator, data))
    return folder / "models"


@pytest.fixture
def service(models: Path, tmp_path: Path) -> Iterator[RecordedService]:
    """Start a service with that model and no records."""
    (tmp_path / "models").symlink_to(models)
    with start_recorded_service(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def bundle(models: Path) -> Bundle:
    """Return the live bundle."""
    return read_bundle((models / "current").resolve())


def add_answers(records: Records, bundle: Bundle, n_rows: int = 800, **answer: Any) -> NDArray[np.float64]:
    """Record the model's answers to random rows of the last two days, and return their scores."""
    scores, labels = bundle.forest.score_and_label(np.random.default_rng(2).normal(size=(n_rows, 2)) * 1.3)
    start = time.time() - 2 * DAY
    for place, (score, label) in enumerate(zip(scores.tolist(), labels.tolist(), strict=True)):
        at = start + place * 2 * DAY / n_rows
        known = answer if label == 1 else {}
        records.add_answer(at, label, score=score, model_version=bundle.version, **known)
    records.count_answers(start, n_rows, int((labels == -1).sum()), model_version=bundle.version)
    return scores


def test_counts_equal_scoring_again(service: RecordedService, bundle: Bundle):
    """For fifty thresholds and the live one, exactly, as every answer is recorded; other forests do not count."""
    with writing(service.engine) as records:
        scores = add_answers(records, bundle)
        records.add_answer(time.time() - DAY, -1, score=-0.9, model_version="20260101T000000Z-aaaaaaaa")

    report = service.client.get("/thresholds?window=3d").json

    service.check(report, "ThresholdReport")
    assert (report["rows"], len(report["thresholds"])) == (800, 50)
    assert report["days"] == pytest.approx(2, abs=0.1)
    assert report["live"]["threshold"] == bundle.forest.offset
    for effect in [report["live"], *report["thresholds"]]:
        n_alarms = int((scores < effect["threshold"]).sum())
        assert effect["alarms"] == effect["alarms_low"] == effect["alarms_high"] == n_alarms
        assert effect["share"] == n_alarms / 800
        assert effect["alarms_per_day"] == pytest.approx(n_alarms / report["days"])
    candidates = [effect["threshold"] for effect in report["thresholds"]]
    assert candidates == sorted(candidates)
    p_values = [effect["p_value"] for effect in report["thresholds"]]
    assert p_values == sorted(p_values)
    assert report["live"]["precision"]["reason"] == "not enough labels: no alarm has one"


def test_sampled_answers_are_weighted(service: RecordedService, bundle: Bundle):
    """Below the live threshold all answers are recorded; above it, each stands for ten, with an interval."""
    with writing(service.engine) as records:
        scores = add_answers(records, bundle)
    inliers = scores >= bundle.forest.offset
    with service.engine.begin() as connection:
        connection.execute(update(PREDICTIONS).where(PREDICTIONS.c.is_inlier == 1).values(recorded_share=0.1))

    report = service.client.get("/thresholds").json

    for effect in report["thresholds"]:
        below = scores < effect["threshold"]
        expected = (below & ~inliers).sum() + 10 * (below & inliers).sum()
        assert effect["alarms"] == pytest.approx(expected)
        if effect["threshold"] <= bundle.forest.offset:
            assert effect["alarms_low"] == effect["alarms_high"] == expected
        else:
            assert below.sum() <= effect["alarms_low"] < expected < effect["alarms_high"]


def test_quality_equals_that_of_a_stricter_model(service: RecordedService, bundle: Bundle):
    """At the live threshold as in /quality; at a stricter one by hand; at a laxer one with the reason."""
    with writing(service.engine) as records:
        start = time.time() - DAY
        n_alarms = 0
        for place, score in enumerate(np.linspace(-0.9, bundle.forest.offset - 0.001, 40).tolist()):
            label = -1 if score < -0.8 or place % 2 else 1
            records.add_answer(start + place, -1, score=score, label=label, model_version=bundle.version)
            n_alarms += 1
        for place in range(30):
            audit: dict[str, Any] = {"probability": 0.1, "handed_at": start + 4000, "label": 1 if place else -1}
            records.add_answer(start + 100 + place, 1, score=-0.4, model_version=bundle.version, **audit)
        records.count_answers(start, 400, n_alarms, model_version=bundle.version)
    client = service.client

    report, quality = client.get("/thresholds").json, client.get("/quality").json["overall"]["figures"]

    for figure in ("precision", "recall"):
        assert report["live"][figure] == quality[figure]
    strict = [effect for effect in report["thresholds"] if -0.8 < effect["threshold"] <= bundle.forest.offset]
    assert strict
    alarms = np.linspace(-0.9, bundle.forest.offset - 0.001, 40)
    is_outlier = (alarms < -0.8) | (np.arange(40) % 2 == 1)
    for effect in strict:
        below = alarms < effect["threshold"]
        assert effect["precision"]["value"] == pytest.approx(is_outlier[below].mean())
        # The 360 inliers are 30 audited rows, each drawn with a probability of a tenth; all 40 alarms have a label.
        weights = np.concatenate([np.ones((~below).sum()), np.full(30, 10.0)])
        outliers = np.concatenate([is_outlier[~below], np.arange(30) == 0])
        missed = weights[outliers].sum() * (400 - below.sum()) / weights.sum()
        assert effect["recall"]["value"] == pytest.approx(is_outlier[below].sum() / (is_outlier[below].sum() + missed))
        assert effect["recall"]["low"] <= effect["recall"]["value"] <= effect["recall"]["high"]
    assert (
        "this threshold would also have flagged rows that were not alarms"
        in report["thresholds"][-1]["recall"]["reason"]
    )


def test_versions_with_another_threshold_count(service: RecordedService, bundle: Bundle):
    """They have the same forest; what only one of them flagged has no precision."""
    earlier = f"20250101T000000Z-{bundle.version[-8:]}"
    with writing(service.engine) as records:
        for number, (score, label) in enumerate([(-0.8, -1), (-0.7, -1), (-0.62, 1), (-0.5, 1)]):
            records.add_answer(time.time() - DAY + number, label, score=score, model_version=earlier)
        records.count_answers(time.time() - DAY, 4, 2, model_version=earlier)

    report = service.client.get("/thresholds").json

    assert report["rows"] == 4
    for effect in report["thresholds"]:
        assert ("also have flagged" in effect["precision"]["reason"]) == (effect["threshold"] > -0.7)


def test_without_traffic_there_is_no_share(service: RecordedService):
    """Null, not a division by zero."""
    report = service.client.get("/thresholds").json

    service.check(report, "ThresholdReport")
    assert (report["rows"], report["live"]["alarms"], report["live"]["share"]) == (0, 0, None)
    assert report["live"]["alarms_per_day"] is None


@pytest.mark.parametrize("query", ["window=0d", "window=9999d", "windows=3d"])
def test_bad_windows_are_refused(service: RecordedService, query: str):
    """As for /quality."""
    assert service.client.get(f"/thresholds?{query}").status_code == 422


def test_without_a_model_there_is_no_answer(tmp_path: Path):
    """There is no forest whose scores could be counted."""
    with start_recorded_service(tmp_path) as started:
        assert started.client.get("/thresholds").status_code == 503
