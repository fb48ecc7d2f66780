"""``GET /metrics``: the metrics of all workers together, in Prometheus's text format."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, request
from prometheus_client import Metric

from app.api.operation import TEXT_MEDIA_TYPE, Operation
from app.api.service import service
from app.metrics.directory import folder_of_workers
from app.metrics.exposition import choose_format
from app.metrics.scrape import FolderMetrics, describe_folder
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
    own, accept = service().metrics, request.headers.get("Accept", "")
    if folder := folder_of_workers():
        body, content_type = _metrics_in(folder).write(accept, describe_folder(folder, is_recorder_up(folder)))
    else:
        encode, content_type = choose_format(accept)
        body = encode(own.registry)
    own.record_scrape(time.perf_counter() - started)
    return Response(body, content_type=content_type)


def metrics_now() -> list[Metric]:
    """Return the metrics of all workers together."""
    folder = folder_of_workers()
    return _metrics_in(folder).read() if folder else list(service().metrics.registry.collect())


@cache
def _metrics_in(folder: Path) -> FolderMetrics:
    """Return the metrics in a folder, which remember the previous scrape."""
    return FolderMetrics(folder)
