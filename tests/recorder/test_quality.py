"""The quality of the live model is reported, and becomes unknown when it cannot be estimated any longer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.db.engine import open_database, upgrade_database
from app.errors import ModelUnavailable
from app.metrics.quality import QualityMetrics
from app.metrics.service import NO_MODEL
from app.quality.estimate import METRICS
from app.recorder.quality import QualityWatch
from tests.records.labelled_records import Records, writing

DAY = 86400


class _Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with answers of two versions, and of last month."""
    file = tmp_path / "records.db"
    upgrade_database(f"sqlite:///{file}")
    engine = open_database(f"sqlite:///{file}")
    with writing(engine) as records:
        fill(records)
    engine.dispose()
    return file


def fill(records: Records) -> None:
    """Answer as v1 (nine true alarms of ten) and v2 (none of ten), and as v1 a month ago (none of ten)."""
    for version, age, n_true in (("v1", 1, 9), ("v2", 1, 0), ("v1", 31, 0)):
        at = time.time() - age * DAY
        for segment in ("berlin", "", "none") if version == "v1" else ("rome",):
            records.count_answers(at, 100, 20, version, segment)
        for number in range(10):
            records.add_answer(at, -1, label=-1 if number < n_true else 1, model_version=version)
        records.add_answer(at, 1, label=1, probability=0.1, handed_at=at, model_version=version)
        records.add_answer(at, 1, probability=0.1, model_version=version)


class _Watched:
    """A quality watch of a database, and its metrics."""

    def __init__(self, file: Path) -> None:
        self.registry, self.clock = CollectorRegistry(), _Clock()
        self.live: str | None = "v1"
        metrics = QualityMetrics(self.registry, METRICS, 60)
        self.watch = QualityWatch(f"sqlite:///{file}", 7, self.live_version, metrics, self.clock)

    def live_version(self) -> str:
        """Return the live version."""
        if self.live is None:
            raise ModelUnavailable("No model.")
        return self.live

    def value(self, name: str, version: str = "", **labels: str) -> float | None:
        """Read a metric, of the live model unless a version is named."""
        if labels:
            labels["model_version"] = version or self.live or "v1"
        return self.registry.get_sample_value(name, labels)

    @property
    def precision(self) -> float | None:
        """The figure that most tests check."""
        return self.value("model_quality", metric="precision")


@pytest.fixture
def watched(file: Path) -> Iterator[_Watched]:
    """The database, watched."""
    watched = _Watched(file)
    yield watched
    if watched.watch._engine:
        watched.watch._engine.dispose()


def test_only_the_live_model_and_the_window_count(watched: _Watched):
    """After a promotion, the next update has the figures of the new model."""
    watched.watch.update()
    before = watched.precision
    labels = watched.value("model_quality_labels", kind="alarm"), watched.value("model_quality_labels", kind="audited")
    watched.live = "v2"
    watched.watch.update()
    after = watched.precision

    assert [before, after] == [0.9, 0.0]
    assert math.isnan(watched.value("model_quality", version="v1", metric="precision"))
    assert [*labels] == [10, 1]
    assert watched.value("audit_waiting_rows") == 3  # of all versions


def test_segments_are_reported(watched: _Watched):
    """Callers without a segment are "none", like those that use this name; segments without answers are NaN."""
    watched.watch.update()
    rows = {name: watched.value("segment_rows", segment=name) for name in ("berlin", "none", "rome")}
    watched.live = "v2"
    watched.watch.update()

    assert rows == {"berlin": 100, "none": 200, "rome": None}
    assert watched.value("segment_outlier_ratio", segment="rome") == 0.2
    assert math.isnan(watched.value("segment_rows", version="v1", segment="berlin"))
    assert watched.value("segment_rows", segment="berlin") is None


def test_figures_of_a_database_that_is_down_become_unknown(
    watched: _Watched, file: Path, caplog: pytest.LogCaptureFixture
):
    """They stay for a while, to bridge a restart of the database; it is logged once, and recovers by itself."""
    watched.watch.update()
    away = file.rename(file.with_suffix(".away"))
    watched.watch._engine.dispose()
    watched.clock.now = 60
    watched.watch.update()
    soon = watched.precision
    watched.clock.now = 700
    watched.watch.update()
    later = watched.precision
    away.rename(file)
    watched.watch.update()

    assert soon == 0.9
    assert math.isnan(later)
    assert watched.precision == 0.9
    assert caplog.text.count("the quality of the answers cannot be estimated") == 1


def test_figures_without_a_live_model_become_unknown(watched: _Watched):
    """There is nothing to be estimated."""
    watched.watch.update()
    watched.live = None
    watched.watch.update()

    assert math.isnan(watched.precision)
    assert watched.value("audit_waiting_rows") == 3


def test_missing_database_is_retried(tmp_path: Path):
    """Only the writer creates the tables."""
    watched = _Watched(tmp_path / "records.db")
    watched.watch.update()
    assert math.isnan(watched.value("model_quality", version=NO_MODEL, metric="precision"))
    assert not (tmp_path / "records.db").exists()

    upgrade_database(f"sqlite:///{tmp_path / 'records.db'}")
    watched.watch.update()
    assert watched.value("audit_waiting_rows") == 0
    watched.watch._engine.dispose()
