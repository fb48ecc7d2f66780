"""Metrics of every HTTP request, by ``prometheus_flask_exporter``, with a bounded set of labels.

The exporter measures in hooks of Flask. What is answered below Flask is counted in the exporter's own metrics by
``FastPathMetrics``.
"""

from __future__ import annotations

from typing import Any
from wsgiref.types import WSGIEnvironment

from flask import Flask, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector
from prometheus_flask_exporter import PrometheusMetrics

from app.metrics.service import REQUEST_SECONDS

# Routes that need a key refuse those without, and some read a query; what they give beside 200.
_MORE_STATUSES = {
    "/feedback": (202, 401, 403, 404),
    "/predictions/<request_id>": (401, 403, 422),
    "/audit/next": (401, 403, 422),
    "/quality": (422,),
}

_METHODS_OF_NO_INTEREST = {"HEAD", "OPTIONS"}


# One name for every path that no route knows: a scanner could otherwise make as many series as it likes.
UNMATCHED = "unmatched"

_EXPRESS_KEY = "isowatch.express_route"


def mark_fast_path(environ: WSGIEnvironment, rule: str) -> None:
    """Note that a request is answered below Flask, as ``rule``."""
    environ[_EXPRESS_KEY] = rule


def took_fast_path(environ: WSGIEnvironment) -> bool:
    """Tell whether a request was answered below Flask."""
    return _EXPRESS_KEY in environ


def route_of(environ: WSGIEnvironment) -> str:
    """Name the route that was found for a request, never the path itself: it may hold anything."""
    if _EXPRESS_KEY in environ:
        express: str = environ[_EXPRESS_KEY]
        return express
    request = environ.get("werkzeug.request")
    rule = getattr(request, "url_rule", None)
    return rule.rule if rule else UNMATCHED


class MetricsRegistry(CollectorRegistry):
    """A registry that remembers its collectors, so that the exporter's own can be started at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: dict[str, Collector] = {}

    def register(self, collector: Collector) -> None:
        """Add a collector, as usual."""
        super().register(collector)
        if isinstance(collector, MetricWrapperBase):
            for metric in collector.describe():
                self.by_name[metric.name] = collector


class _Exporter(PrometheusMetrics):  # type: ignore[misc]
    """The exporter, whose information gauge would otherwise make a series per process id."""

    def info(self, name: str, description: str, labelnames: Any = None, labelvalues: Any = None, **labels: str) -> Any:
        gauge = Gauge(name, description, tuple(labels), registry=self.registry, multiprocess_mode="livemax")
        gauge.labels(**labels).set(1)
        return gauge


def url_rule(request: Request) -> str:
    """Name the route of a request; the exporter takes the label's name from this function."""
    return request.url_rule.rule if request.url_rule else UNMATCHED


class FastPathMetrics:
    """Counts requests that were answered below Flask, with series that are looked up once.

    Parameters
    ----------
    seconds, total
        The exporter's metrics.
    """

    def __init__(self, seconds: Histogram, total: Counter) -> None:
        self._seconds, self._total = seconds, total
        self._series: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}

    def record(self, method: str, rule: str, status: int, seconds: float) -> None:
        """Count a request and the time that it took."""
        key = (method, rule, status)
        series = self._series.get(key)
        if series is None:
            series = (self._seconds.labels(method, rule, status), self._total.labels(method, status))
            self._series[key] = series
        series[0].observe(seconds)
        series[1].inc()


def register_http_metrics(app: Flask, registry: MetricsRegistry) -> FastPathMetrics:
    """Measure every request; to be called when all routes are registered."""
    _Exporter(app, path=None, group_by=url_rule, buckets=REQUEST_SECONDS, registry=registry)
    seconds, total = registry.by_name["flask_http_request_duration_seconds"], registry.by_name["flask_http_request"]
    exceptions = registry.by_name["flask_http_request_exceptions"]
    assert isinstance(seconds, Histogram)
    assert isinstance(total, Counter)
    assert isinstance(exceptions, Counter)
    # The series of each route, and of errors that can come everywhere, begin at 0.
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - _METHODS_OF_NO_INTEREST:
            statuses = (200, 400, 413, 415, 422, 503, 500) if method == "POST" else (200, 503, 500)
            # What a path names may not exist.
            named = (404,) if rule.arguments else ()
            for status in (*statuses, *named, *_MORE_STATUSES.get(rule.rule, ())):
                seconds.labels(method, rule.rule, status)
                total.labels(method, status)
            exceptions.labels(method, 500)
    for method in ("GET", "POST"):
        seconds.labels(method, UNMATCHED, 404)
        total.labels(method, 404)
    return FastPathMetrics(seconds, total)
