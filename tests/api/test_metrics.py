"""``GET /metrics`` answers in Prometheus's format, with and without a trailing slash."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from app.api.service import service_of
from app.settings import Settings


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_every_line_can_be_parsed(client: FlaskClient, path: str):
    """No series appears twice, and every series has a name."""
    answer = client.get(path)
    samples = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    ]

    assert answer.mimetype == "text/plain"
    assert len(samples) > 100
    assert len(samples) == len(set(samples))


def test_client_gets_openmetrics_if_it_asks(client: FlaskClient):
    """Prometheus negotiates the format."""
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert answer.mimetype == "application/openmetrics-text"
    assert answer.text.endswith("# EOF\n")


def test_cost_of_a_replica_has_its_currency(tmp_path: Path):
    """The settings appear as they are; a dashboard adds up the replicas."""
    app = create_app(Settings(model_dir=str(tmp_path), replica_monthly_cost=24.9, currency="EUR"))
    try:
        body = app.test_client().get("/metrics").text
    finally:
        service_of(app).close()

    assert 'replica_monthly_cost{currency="EUR"} 24.9\n' in body
