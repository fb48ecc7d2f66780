"""Scrapes equal ``prometheus_client``'s own, before and after files change."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, Summary, values
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app.metrics.metrics_file import MetricsFile, name_files_after
from app.metrics.multiprocess import MetricsArchive
from app.metrics.scrape import FolderMetrics

_MODES = ("min", "max", "sum", "mostrecent")

ACCEPTED = [
    "",
    "text/plain; version=1.0.0; escaping=allow-utf-8",
    "application/openmetrics-text; version=1.0.0",
    "application/openmetrics-text; version=1.0.0; escaping=values",
]


class _Process:
    """A process with metrics of every kind, in files of its own."""

    def __init__(self, number: int) -> None:
        name_files_after(number)
        self._files = values.ValueClass
        registry = CollectorRegistry()
        self.counter = Counter("requests", 'Requests,\nby "path".', ("path", "status"), registry=registry)
        self.histogram = Histogram("seconds", "Seconds.", ("route",), buckets=(0.5, 1, 1e7), registry=registry)
        self.summary = Summary("sizes", "Sizes.", registry=registry)
        self.gauges = [
            Gauge(f"gauge_{mode}", "A gauge.", ("segment",), registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]
            for mode in (*_MODES, *(f"live{mode}" for mode in _MODES))
        ]
        for gauge in self.gauges:
            gauge.labels("never set")

    def work(self, chosen: random.Random) -> None:
        """Change some of the metrics."""
        values.ValueClass = self._files  # of new series
        for _ in range(20):
            self.counter.labels(chosen.choice(["/", "/a b", 'q"\\\n', "ü\u2028"]), "200").inc(chosen.random())
            self.histogram.labels(chosen.choice("ab")).observe(chosen.choice([0.1, 1, 3, 1e9]))
            self.summary.observe(chosen.random())
            gauge, segment = chosen.choice(self.gauges), chosen.choice(["", "one", "two"])
            gauge.labels(segment).set(chosen.choice([-1.5, 0, -0.0, 2, 1e6, math.nan, math.inf]))


class _Expected:
    """The registry of prometheus_client's own scrape."""

    def __init__(self, folder: Path) -> None:
        self._files = [str(file) for file in sorted(folder.glob("*.db"))]

    def collect(self) -> list[Metric]:
        """Return all metrics."""
        return list(MultiProcessCollector.merge(self._files))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A metrics folder of this process."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setattr("prometheus_client.values.MmapedDict", MetricsFile)
    return tmp_path


@pytest.mark.parametrize("seed", range(5))
def test_scrapes_are_those_of_prometheus_client(folder: Path, seed: int):
    """All kinds, modes, formats and escapings agree to the byte while series, files and archives come and go."""
    chosen, metrics, archive, alive = random.Random(seed), FolderMetrics(folder), MetricsArchive(folder), {}
    for step in range(12):
        if step % 3 == 0:
            alive[step] = _Process(step)
        if step in (5, 10):
            alive.pop(ended := min(alive))
            archive.fold(ended)
        chosen.choice(list(alive.values())).work(chosen)

        for accept in ACCEPTED:
            encode, content_type = choose_encoder(accept)
            assert metrics.write(accept, []) == (encode(_Expected(folder)), content_type)
        assert str(metrics.read()) == str(_Expected(folder).collect())


def test_keys_are_parsed_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A scrape after the first reads numbers only."""
    process, metrics = _Process(1), FolderMetrics(folder)
    process.work(random.Random(1))
    metrics.read()
    monkeypatch.setattr("app.metrics.merge.parse_key", None)
    monkeypatch.setattr("app.metrics.merge._read_all_values", None)

    process.counter.labels("/", "200").inc(1000)
    expected = choose_encoder("")[0](_Expected(folder))

    assert metrics.write("", [])[0] == expected
