"""``GET /metrics`` answers in Prometheus's format, with and without a trailing slash."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families


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
