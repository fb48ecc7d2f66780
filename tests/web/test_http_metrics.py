"""HTTP metrics have a bounded set of labels, begin at 0, and count every request once."""

from __future__ import annotations

import pytest
from flask import Flask, request
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import ServiceMetrics
from app.web.envelope import put_in_envelope
from app.web.http_metrics import MetricsRegistry, hot_route, register_http_metrics
from app.web.request_log import NoRequestLog


class _Service:
    """A service with one route, and a way to read its numbers."""

    def __init__(self) -> None:
        self.registry = MetricsRegistry()
        self.metrics = ServiceMetrics(self.registry)
        self.app = Flask("tiny")

        @self.app.route("/rows/<row>", methods=["GET", "POST"])
        def answer(row: str) -> str:
            return row

        @self.app.post("/hot")
        @hot_route
        def answer_fast() -> tuple[str, int]:
            return "hot", int(request.args.get("status", 200))

        hot_routes = register_http_metrics(self.app, self.registry)
        put_in_envelope(self.app, self.metrics, hot_routes, NoRequestLog())
        self.client = self.app.test_client()

    def value(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, f"{name}{labels} does not exist"
        return value

    def count(self, url_rule: str, status: str, method: str = "GET") -> float:
        name = "flask_http_request_duration_seconds_count"
        return self.value(name, method=method, status=status, url_rule=url_rule)

    def series(self) -> int:
        families = text_string_to_metric_families(generate_latest(self.registry).decode())
        return sum(len(family.samples) for family in families)


@pytest.fixture
def service() -> _Service:
    """A fresh service."""
    return _Service()


def test_routes_begin_at_zero(service: _Service):
    """The first request is a step from 0 to 1, which `increase` sees."""
    assert service.count("/rows/<row>", "200") == service.count("/rows/<row>", "422", "POST") == 0
    assert service.count("/rows/<row>", "404") == 0
    service.client.get("/rows/7")
    assert service.count("/rows/<row>", "200") == 1


def test_unknown_paths_and_methods_share_one_label_value(service: _Service):
    """A scanner makes no series of its own."""
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


@pytest.mark.parametrize(("method", "status"), [("POST", 200), ("POST", 422), ("POST", 500), ("OPTIONS", 200)])
def test_hot_route_is_counted_once(service: _Service, method: str, status: int):
    """In the same series as every other route, by whoever counts it."""
    for _ in range(3):
        assert service.client.open(f"/hot?status={status}", method=method).status_code == status

    assert service.count("/hot", str(status), method) == 3
    assert service.value("flask_http_request_total", method=method, status=str(status)) == 3


def test_wrong_method_on_a_hot_route_is_unmatched(service: _Service):
    """As on every other route."""
    service.client.get("/hot")

    assert service.count("unmatched", "405") == 1


def test_two_services_in_one_process_do_not_meet():
    """`create_app()` can be called twice, and each service counts its own."""
    first, second = _Service(), _Service()
    first.client.get("/rows/1")

    assert (first.count("/rows/<row>", "200"), second.count("/rows/<row>", "200")) == (1, 0)
