"""The drill's webhook."""

import time

import requests

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.webhook_sink import WebhookSink

RULE = AlertRule("DriftDetected")


def message(*alerts):
    """Return a message of Alertmanager about alerts, each a fingerprint and a status."""
    labels = {"alertname": RULE.name}
    return {"alerts": [{"labels": labels, "fingerprint": name, "status": status} for name, status in alerts]}


def post(sink, *alerts):
    """Send a message like Alertmanager and return the response's status."""
    return requests.post(f"{sink.url}/default", json=message(*alerts), timeout=30).status_code


def test_an_alert_is_resolved_when_all_instances_are():
    """The alert is firing until both instances are reported as resolved."""
    with WebhookSink() as sink:
        assert post(sink, ("cvm", "firing"), ("mmd", "firing")) == 200
        post(sink, ("cvm", "resolved"))
        assert sink.received.is_firing(RULE)
        post(sink, ("mmd", "resolved"))
        assert not sink.received.is_firing(RULE)


def test_earlier_reports_do_not_count():
    """An alert of an earlier cause does not count for a later one."""
    with WebhookSink() as sink:
        post(sink, ("cvm", "firing"))
        begin = time.monotonic()
        assert sink.received.fired_at(RULE, since=begin) is None
        post(sink, ("mmd", "firing"))
        assert sink.received.fired_at(RULE, since=begin) >= begin


def test_a_rejected_path_records_nothing():
    """Alertmanager gets a 4xx, which it counts immediately, until the path is accepted again."""
    with WebhookSink() as sink:
        sink.reject("/default")
        assert post(sink, ("cvm", "firing")) == 400
        assert not sink.received.is_firing(RULE)
        sink.accept("/default")
        assert post(sink, ("cvm", "firing")) == 200
        assert sink.received.is_firing(RULE)
