"""``GET /metrics``: the numbers of all workers together, in Prometheus's text format."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app import metrics_folder
from app.routes.service_parts import service

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics", strict_slashes=False)
@metrics.get("/metrics/", strict_slashes=False)
def scrape() -> Response:
    """Add up the workers' files; a single process without a metrics folder tells its own numbers."""
    begun = time.perf_counter()
    own = service().metrics
    registry = own.registry
    if folder := metrics_folder.folder_of_workers():
        own.record_metrics_files(metrics_folder.count_files(folder))
        # A registry of its own for each scrape: the workers' numbers lie in files, not in this process.
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(folder))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    body = encode(registry)
    own.record_scrape(time.perf_counter() - begun)
    return Response(body, content_type=content_type)
