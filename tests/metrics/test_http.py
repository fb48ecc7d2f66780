"""HTTP metrics have a bounded set of labels, start at 0, and count every request once."""

from __future__ import annotations

import pytest
from flask import Flask
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics.http import MetricsRegistry, register_http_metrics
from app.metrics.service import ServiceMetrics
from app.web.middleware import install_middleware


class _Service:
    """A service with one route, and functions that read its metrics."""

    def __init__(self) -> None:
        self.registry = MetricsRegistry()
        self.metrics = ServiceMetrics(self.registry)
        self.app = Flask("tiny")

        @self.app.route("/rows/<row>", methods=["GET", "POST"])
        def answer(row: str) -> str:
            return row

        self.fast_path = register_http_metrics(self.app, self.registry, {"answer": (200, 404, 422)})
        install_middleware(self.app, self.metrics, log=None)
        self.client = self.app.test_client()

    def value(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, f"{name}{labels} does not exist"
        return value

    def count(self, url_rule: str, status: str, method: str = "GET") -> float:
        return self.value("flask_http_request_total", method=method, status=status, url_rule=url_rule)

    def durations(self, url_rule: str, status_class: str) -> float:
        return self.value("flask_http_request_duration_seconds_count", status=status_class, url_rule=url_rule)

    def series(self) -> int:
        families = text_string_to_metric_families(generate_latest(self.registry).decode())
        return sum(len(family.samples) for family in families)


@pytest.fixture
def service() -> _Service:
    """A fresh service."""
    return _Service()


def test_series_of_routes_start_at_zero(service: _Service):
    """The first request is a step from 0 to 1, which `increase` can see."""
    assert service.count("/rows/<row>", "200") == service.count("/rows/<row>", "422", "POST") == 0
    assert service.count("/rows/<row>", "404") == 0
    assert service.durations("/rows/<row>", "2xx") == 0
    service.client.get("/rows/7")
    assert service.count("/rows/<row>", "200") == service.durations("/rows/<row>", "2xx") == 1


def test_durations_have_a_series_per_route_and_class_of_status(service: _Service):
    """Methods and exact statuses are counted elsewhere: a histogram has sixteen series for each of its label values."""
    service.client.get("/rows/7")
    service.client.post("/rows/7")
    service.fast_path.record("POST", "/fast", 201, 0.001)
    for path in ("/scan", "/scan/more"):
        service.client.get(path)

    counts = {
        (sample.labels["url_rule"], sample.labels["status"]): sample.value
        for family in service.registry.collect()
        for sample in family.samples
        if sample.name == "flask_http_request_duration_seconds_count"
    }
    assert counts == {
        ("/rows/<row>", "2xx"): 2,
        ("/fast", "2xx"): 1,
        ("unmatched", "4xx"): 2,
    }


def test_unknown_paths_and_methods_share_one_label_value(service: _Service):
    """A scanner cannot create series."""
    service.client.get("/scan/first")
    service.client.open("/scan", method="FOO")
    before = service.series()
    for number in range(200):
        service.client.get(f"/scan/{number}")
        service.client.get(f"/rows/{number}")
        service.client.open("/scan", method=f"FOO{number}")

    assert service.count("unmatched", "404") == 201
    assert service.count("unmatched", "404", "OTHER") == 201
    assert service.series() == before


def test_request_without_flask_is_counted_once(service: _Service):
    """The fast path uses the same series as all other routes."""
    for _ in range(3):
        service.fast_path.record("POST", "/rows/<row>", 200, 0.001)

    assert service.count("/rows/<row>", "200", "POST") == 3
    assert service.durations("/rows/<row>", "2xx") == 3


def test_two_services_in_one_process_share_nothing():
    """`create_app()` can be called twice, and each service counts its own requests."""
    first, second = _Service(), _Service()
    first.client.get("/rows/1")

    assert (first.count("/rows/<row>", "200"), second.count("/rows/<row>", "200")) == (1, 0)
