"""Metrics of every HTTP request, by ``prometheus_flask_exporter``, with a bounded set of labels.

The exporter measures in Flask's hooks. Requests that are answered below Flask are counted in the exporter's own metrics
by ``FastPathMetrics``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import prometheus_flask_exporter
from flask import Flask, Request
from flask import request as current_request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector
from prometheus_flask_exporter import PrometheusMetrics

from app.metrics.service import REQUEST_SECONDS

# One name for all paths without a route: a scanner could otherwise create any number of series.
UNMATCHED = "unmatched"

_UNCOUNTED_METHODS = {"HEAD", "OPTIONS"}

# The statuses of endpoints that declare none, which are static files.
_STATIC_FILE_STATUSES = (200, 404, 500)


class MetricsRegistry(CollectorRegistry):
    """A registry that finds its collectors by name, so that the exporter's own can start at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: dict[str, Collector] = {}

    def register(self, collector: Collector) -> None:
        """Add a collector."""
        super().register(collector)
        if isinstance(collector, MetricWrapperBase):
            for metric in collector.describe():
                self.by_name[metric.name] = collector


class RouteHistogram(Histogram):
    """A histogram by route and class of status, which ignores the method.

    Exact statuses and methods are counted by ``flask_http_request_total``: with them, 14 buckets each made 90 % of all
    series.

    Examples
    --------
    >>> histogram = RouteHistogram("seconds", "Seconds.", (), registry=(registry := CollectorRegistry()), buckets=(1,))
    >>> histogram.labels(method="GET", url_rule="/healthz", status=404).observe(0.5)
    >>> registry.get_sample_value("seconds_count", {"url_rule": "/healthz", "status": "4xx"})
    1.0
    """

    def __init__(self, name: str, documentation: str, labelnames: Sequence[str], **options: Any) -> None:
        super().__init__(name, documentation, ("url_rule", "status"), **options)

    def labels(self, *, url_rule: object, status: int, method: str = "") -> Any:  # type: ignore[override]
        """Return the series of a request."""
        return super().labels(url_rule, f"{status // 100}xx")


# The exporter has no option for the class of its histogram.
prometheus_flask_exporter.Histogram = RouteHistogram


class _Exporter(PrometheusMetrics):  # type: ignore[misc]
    """The exporter, with fewer series than its own choice."""

    def info(self, name: str, description: str, labelnames: Any = None, labelvalues: Any = None, **labels: str) -> Any:
        """Declare the information gauge, which would otherwise have a series per process id."""
        gauge = Gauge(name, description, tuple(labels), registry=self.registry, multiprocess_mode="livemax")
        gauge.labels(**labels).set(1)
        return gauge


def url_rule(request: Request) -> str:
    """Return the route of a request; the exporter names the label after this function."""
    return label_of(request.url_rule.rule) if request.url_rule else UNMATCHED


def label_of(rule: str) -> str:
    """Return the label of a route: the same for both forms of one with an id that may contain slashes.

    Examples
    --------
    >>> label_of("/predictions/<text:request_id>")
    '/predictions/<request_id>'
    """
    return rule.replace("<text:", "<")


class _CurrentRoute:
    """The route of the current request as a label's value; a function's signature is inspected with every request."""

    def __str__(self) -> str:
        return url_rule(current_request)


class FastPathMetrics:
    """Counts requests that were answered below Flask; each series is looked up once.

    Parameters
    ----------
    seconds, total
        The exporter's metrics.
    """

    def __init__(self, seconds: RouteHistogram, total: Counter) -> None:
        self._seconds, self._total = seconds, total
        self._series: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}

    def record(self, method: str, rule: str, status: int, seconds: float) -> None:
        """Count a request and observe its duration."""
        key = (method, rule, status)
        series = self._series.get(key)
        if series is None:
            series = (self._seconds.labels(url_rule=rule, status=status), self._total.labels(method, status, rule))
            self._series[key] = series
        series[0].observe(seconds)
        series[1].inc()


def register_http_metrics(
    app: Flask, registry: MetricsRegistry, statuses: Mapping[str, Iterable[int]]
) -> FastPathMetrics:
    """Measure every request.

    Every status that a route can answer is counted from 0 on, because the first one must be a step that ``increase``
    sees. Durations start at 0 for successes of ``POST`` only, on which objectives are based; all others appear with
    their first request.

    Parameters
    ----------
    app
        The application, with all of its routes.
    registry
        Where the metrics are registered.
    statuses
        The statuses that each endpoint can answer. Endpoints of static files need none.
    """
    _Exporter(
        app,
        path=None,
        group_by=url_rule,
        default_labels={"url_rule": _CurrentRoute()},
        buckets=REQUEST_SECONDS,
        registry=registry,
    )
    seconds, total = registry.by_name["flask_http_request_duration_seconds"], registry.by_name["flask_http_request"]
    exceptions = registry.by_name["flask_http_request_exceptions"]
    assert isinstance(seconds, RouteHistogram)
    assert isinstance(total, Counter)
    assert isinstance(exceptions, Counter)
    for rule in app.url_map.iter_rules():
        label = label_of(rule.rule)
        if rule.endpoint in statuses and "POST" in (rule.methods or ()):
            seconds.labels(url_rule=label, status=200)
        for method in (rule.methods or set()) - _UNCOUNTED_METHODS:
            for status in statuses.get(rule.endpoint, _STATIC_FILE_STATUSES):
                total.labels(method, status, label)
            exceptions.labels(method, 500, label)
    for method in ("GET", "POST"):
        total.labels(method, 404, UNMATCHED)
    return FastPathMetrics(seconds, total)
