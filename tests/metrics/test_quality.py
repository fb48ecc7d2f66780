"""Unknown quality metrics are NaN, also when they pass through the files that processes share."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from app.metrics.multiprocess import MetricsArchive
from app.metrics.quality import QualityMetrics
from app.metrics.scrape import FolderMetrics
from app.metrics.service import NO_MODEL
from app.quality.estimate import METRICS, Estimate, OutlierRatio

UNKNOWN = Estimate.unknown("no alarm has one", 0)
FIGURES = dict.fromkeys(METRICS, UNKNOWN) | {"precision": Estimate(0.9, 0.8, 0.95, n_labels=70)}

# A recorder that first records figures and then sets them to unknown.
_RECORDER = """
import sys
from app.metrics.metrics_file import name_files_after
name_files_after(sys.argv[1])
from prometheus_client import CollectorRegistry
from app.quality.estimate import OutlierRatio
from app.metrics.quality import QualityMetrics
from tests.metrics.test_quality import FIGURES
metrics = QualityMetrics(CollectorRegistry(), FIGURES, 60)
if sys.argv[2] == "knows":
    metrics.record_figures(FIGURES)
    metrics.record_segments({"berlin": OutlierRatio(1, 4)})
"""


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry for the metrics."""
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> QualityMetrics:
    """Metrics without any recorded figures."""
    return QualityMetrics(registry, METRICS, 90 * 86400)


def values(registry: CollectorRegistry) -> dict[str, float]:
    """Return all samples by name and label value."""
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    return {" ".join([sample.name, *_without_no_model(sample.labels)]): sample.value for sample in samples}


def _without_no_model(labels: dict[str, str]) -> list[str]:
    """Return the values of labels, without the version before a model is known."""
    return [value for name, value in labels.items() if (name, value) != ("model_version", NO_MODEL)]


def test_everything_is_unknown_at_first(metrics: QualityMetrics, registry: CollectorRegistry):
    """Every figure has its series, and all are NaN except the settings."""
    found = values(registry)

    assert {name for name, value in found.items() if not math.isnan(value)} == {"model_max_age_seconds"}
    assert found["model_max_age_seconds"] == 7_776_000
    assert {f"model_quality{end} {name}" for name in METRICS for end in ("", "_low", "_high")} < found.keys()
    assert {"model_quality_labels alarm", "model_quality_labels audited", "audit_waiting_rows"} < found.keys()


def test_figures_are_recorded_with_their_intervals(metrics: QualityMetrics, registry: CollectorRegistry):
    """A figure that becomes unknown is NaN again."""
    metrics.record_figures(FIGURES)
    metrics.record_labels(70, 3)
    first = values(registry)
    metrics.record_figures(dict.fromkeys(METRICS, UNKNOWN))
    later = values(registry)

    ends = ("model_quality_low precision", "model_quality precision", "model_quality_high precision")
    assert [first[name] for name in ends] == [0.8, 0.9, 0.95]
    assert (first["model_quality_labels alarm"], first["model_quality_labels audited"]) == (70, 3)
    assert math.isnan(first["model_quality recall"])
    assert all(math.isnan(later[name]) for name in ends)


def test_segment_without_answers_is_unknown(metrics: QualityMetrics, registry: CollectorRegistry):
    """A series cannot be removed, so it is NaN until the segment has answers again."""
    both = {"berlin": OutlierRatio(1, 4), "none": OutlierRatio(0, 9)}
    metrics.record_segments(both)
    metrics.record_segments({"none": OutlierRatio(0, 10)})
    gone = values(registry)
    metrics.record_segments(both)
    back = values(registry)

    for series in ("segment_outlier_ratio", "segment_outlier_ratio_low", "segment_outlier_ratio_high", "segment_rows"):
        assert math.isnan(gone[f"{series} berlin"])
        assert math.isfinite(back[f"{series} berlin"])
    assert (gone["segment_rows none"], gone["segment_outlier_ratio none"]) == (10, 0)
    assert back["segment_outlier_ratio berlin"] == 0.25
    assert back["segment_outlier_ratio_low berlin"] < 0.25 < back["segment_outlier_ratio_high berlin"]


def test_figures_of_a_replaced_model_are_unknown(metrics: QualityMetrics, registry: CollectorRegistry):
    """A new model has all its figures, without those of the old one, from the moment it is recorded."""
    metrics.record_model("v1")
    metrics.record_figures(FIGURES)
    metrics.record_labels(70, 3)
    metrics.record_segments({"berlin": OutlierRatio(1, 4)})
    metrics.record_model("v1")
    kept = values(registry)
    metrics.record_model("v2")
    swapped = values(registry)

    series = ("model_quality_high precision", "model_quality_labels alarm", "segment_rows berlin")
    assert [kept[f"{name} v1"] for name in series] == [0.95, 70, 4]
    assert all(math.isnan(swapped[f"{name} v1"]) for name in series)
    assert all(math.isnan(swapped[f"{name} v2"]) for name in series[:2])
    assert "segment_rows berlin v2" not in swapped


class _Folder(Collector):
    """The metrics folder as a scrape reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self):
        """Read the folder."""
        return FolderMetrics(self._folder).read()


def scrape(folder: Path) -> dict[str, float]:
    """Return the folder's metrics after a round trip through the text format."""
    registry = CollectorRegistry()
    registry.register(_Folder(folder))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {" ".join([s.name, *_without_no_model(s.labels)]): s.value for family in families for s in family.samples}


def test_unknown_figures_pass_through_the_files_of_processes(tmp_path: Path):
    """NaN is scraped as NaN, replaces an older value, and disappears with its recorder."""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for name, state in (("recorder-1", "knows"), ("recorder-2", "nothing")):
        subprocess.run([sys.executable, "-c", _RECORDER, name, state], env=environment, check=True)
        if name == "recorder-1":
            known = scrape(tmp_path)
    unknown = scrape(tmp_path)
    MetricsArchive(tmp_path).fold("recorder-2")

    assert (known["model_quality precision"], known["segment_outlier_ratio berlin"]) == (0.9, 0.25)
    assert math.isnan(known["model_quality recall"])
    assert math.isnan(unknown["model_quality precision"])
    assert scrape(tmp_path)["model_quality precision"] == 0.9
