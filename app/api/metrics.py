"""``GET /metrics``: the metrics of all workers together, in Prometheus's text format."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from app.api.operation import TEXT_MEDIA_TYPE, Operation
from app.api.service import service
from app.metrics.directory import folder_of_workers
from app.metrics.multiprocess import count_broken_files, count_files, describe_folder, read_metrics
from app.recorder.status import is_recorder_up

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics", strict_slashes=False)
@metrics.get("/metrics/", strict_slashes=False)
@Operation(
    summary="The metrics of all workers together.",
    description="In Prometheus's text format, or OpenMetrics if the client accepts it.",
    tag="operation",
    is_for_monitoring=True,
    media_type=TEXT_MEDIA_TYPE,
)
def scrape() -> Response:
    """Add up the workers' files; a single process without a metrics folder returns its own metrics."""
    started = time.perf_counter()
    own = service().metrics
    registry = own.registry
    if folder := folder_of_workers():
        # A new registry for each scrape: the workers' metrics are in files, not in this process.
        registry = CollectorRegistry()
        registry.register(_FolderCollector(folder))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    body = encode(registry)
    own.record_scrape(time.perf_counter() - started)
    return Response(body, content_type=content_type)


class _FolderCollector(Collector):
    """The metrics in the metrics folder, and the state of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Read the folder."""
        yield from read_metrics(self._folder)
        n_files, n_broken = count_files(self._folder), count_broken_files(self._folder)
        yield from describe_folder(n_files, n_broken, is_recorder_up(self._folder))
