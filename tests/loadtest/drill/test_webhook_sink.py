"""The receiver of the drill."""

import time

import requests

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.webhook_sink import WebhookSink

RULE = AlertRule("DriftDetected")


def message(*alerts):
    """Write a message of Alertmanager's about alerts, each a fingerprint and a status."""
    labels = {"alertname": RULE.name}
    return {"alerts": [{"labels": labels, "fingerprint": name, "status": status} for name, status in alerts]}


def tell(sink, *alerts):
    """Send a message as Alertmanager does, and give the status of the answer."""
    return requests.post(f"{sink.url}/default", json=message(*alerts), timeout=30).status_code


def test_an_alert_is_over_when_each_of_its_instances_is():
    """While one of two was not told to be over, the receiver believes that the alert fires."""
    with WebhookSink() as sink:
        assert tell(sink, ("cvm", "firing"), ("mmd", "firing")) == 200
        tell(sink, ("cvm", "resolved"))
        assert sink.heard.believes_in(RULE)
        tell(sink, ("mmd", "resolved"))
        assert not sink.heard.believes_in(RULE)


def test_what_was_told_before_a_cause_does_not_count_for_it():
    """An alert of an earlier cause is not taken for that of a later one."""
    with WebhookSink() as sink:
        tell(sink, ("cvm", "firing"))
        begin = time.monotonic()
        assert sink.heard.fired_at(RULE, since=begin) is None
        tell(sink, ("mmd", "firing"))
        assert sink.heard.fired_at(RULE, since=begin) >= begin


def test_a_path_that_is_refused_hears_nothing():
    """Alertmanager gets an error that it counts at once, until the sink listens again."""
    with WebhookSink() as sink:
        sink.refuse("/default")
        assert tell(sink, ("cvm", "firing")) == 400
        assert not sink.heard.believes_in(RULE)
        sink.listen("/default")
        assert tell(sink, ("cvm", "firing")) == 200
        assert sink.heard.believes_in(RULE)
