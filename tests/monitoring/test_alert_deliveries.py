"""Notifications of a real Alertmanager: routing, inhibition, mute times, messages and resolution."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest
import yaml

from tests.monitoring.running_alertmanager import (
    RunningAlertmanager,
    start_alertmanager,
    with_short_waits,
    write_configuration,
)
from tests.monitoring.webhook_sink import WebhookSink
from tests.system.running_service import wait_until

pytestmark = pytest.mark.system

FOLDER = Path(__file__).resolve().parents[2] / "monitoring" / "alertmanager"


def read(name):
    """Read a shipped configuration."""
    return yaml.safe_load((FOLDER / name).read_text())


def redirect_to(sink, configuration):
    """Make every receiver notify the sink, at the path /<receiver>."""
    names = [receiver["name"] for receiver in configuration["receivers"]]
    receivers = [{"name": name, "webhook_configs": [{"url": f"{sink.url}/{name}"}]} for name in names]
    return configuration | {"receivers": receivers}


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    """The receiver of all notifications."""
    with WebhookSink() as sink:
        yield sink


@pytest.fixture
def alertmanager(
    sink: WebhookSink, tmp_path: Path, require_program: Callable[[str], Path]
) -> Iterator[RunningAlertmanager]:
    """An Alertmanager with the shipped routes and inhibition rules, short waits, and the sink as every receiver."""
    program = require_program("alertmanager")
    configuration = redirect_to(sink, with_short_waits(read("alertmanager.yml")))
    with start_alertmanager(program, tmp_path, write_configuration(tmp_path, configuration)) as alertmanager:
        yield alertmanager


def wait_for(sink, path, name, status="firing"):
    """Wait until the sink has received an alert."""
    sink.wait_until(lambda: name in sink.names(path, status), f"{name} {status} at {path}")


def test_alert_and_its_resolution_are_delivered(alertmanager, sink):
    """A critical alert reaches the urgent receiver with its annotations, and so does its resolution."""
    labels = {"alertname": "ServiceDown", "severity": "critical", "job": "service"}

    alertmanager.fire(**labels)
    wait_for(sink, "/urgent", "ServiceDown")
    alertmanager.resolve(**labels)
    wait_for(sink, "/urgent", "ServiceDown", "resolved")

    assert sink.alerts("/urgent")[0]["annotations"]["summary"] == "summary of ServiceDown"
    assert sink.bodies("/default") == []


def test_critical_inhibits_the_warning_of_the_same_name(alertmanager, sink):
    """If a budget burns within hours, the warning about days is not delivered."""
    alertmanager.fire(alertname="AvailabilityBudgetBurn", severity="critical", job="service", window="1h")
    wait_for(sink, "/urgent", "AvailabilityBudgetBurn")

    alertmanager.fire(alertname="AvailabilityBudgetBurn", severity="warning", job="service", window="3d")
    # Sent later with the same wait: when it has arrived, the other one would have too.
    alertmanager.fire(alertname="LatencyBudgetBurn", severity="warning", job="service", window="3d")
    wait_for(sink, "/default", "LatencyBudgetBurn")

    assert sink.names("/default") == {"LatencyBudgetBurn"}


def test_critical_alert_of_one_disk_does_not_inhibit_another(alertmanager, sink):
    """A critical alert only inhibits warnings with the same labels."""
    alertmanager.fire(alertname="HostDiskFilling", severity="critical", job="node", instance="a", mountpoint="/")
    wait_for(sink, "/urgent", "HostDiskFilling")

    alertmanager.fire(alertname="HostDiskFilling", severity="warning", job="node", instance="a", mountpoint="/data")

    wait_for(sink, "/default", "HostDiskFilling")


def test_retraining_for_precision_inhibits_the_precision_alert(alertmanager, sink):
    """RetrainingNeeded for low precision replaces PrecisionBelowTarget; for another reason it does not."""
    alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service", reason="drift")
    alertmanager.fire(alertname="PrecisionBelowTarget", severity="warning", job="service")
    wait_for(sink, "/default", "PrecisionBelowTarget")

    alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service", reason="precision")

    sink.wait_until(lambda: alertmanager.suppressed() == {"PrecisionBelowTarget"}, "the inhibited alert")


def test_service_down_inhibits_its_consequences_only(alertmanager, sink):
    """If the service is down, its other alerts are inhibited, but not those of other jobs and not Watchdog."""
    alertmanager.fire(alertname="ServiceDown", severity="critical", job="service")
    wait_for(sink, "/urgent", "ServiceDown")

    alertmanager.fire(alertname="ModelMissing", severity="critical", job="service", instance="a:8000")
    alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service")
    others = {"ContainerRestarting": "cadvisor", "HostDiskFilling": "node", "TrainingFailed": "training"}
    for name, job in others.items():
        alertmanager.fire(alertname=name, severity="warning", job=job)
    # Even with a job label.
    alertmanager.fire(alertname="Watchdog", severity="none", job="service")

    sink.wait_until(lambda: sink.names("/default") >= set(others), "the alerts of other jobs")
    wait_for(sink, "/watchdog", "Watchdog")
    assert sink.names("/urgent") == {"ServiceDown"}
    assert sink.names("/default") == set(others)
    assert alertmanager.suppressed() == {"ModelMissing", "RetrainingNeeded"}


def test_replica_down_inhibits_only_its_own_alerts(alertmanager, sink):
    """While one replica is down, alerts of other replicas and of the whole service are delivered."""
    alertmanager.fire(alertname="ServiceDown", severity="critical", job="service", instance="a:8000")
    wait_for(sink, "/urgent", "ServiceDown")

    alertmanager.fire(alertname="HighMemoryUsage", severity="warning", job="service", instance="a:8000")
    alertmanager.fire(alertname="WorkerRestarts", severity="warning", job="service", instance="c:8000")
    alertmanager.fire(alertname="HighErrorRate", severity="critical", job="service")
    # A second replica that is down is reported too.
    alertmanager.fire(alertname="ServiceDown", severity="critical", job="service", instance="b:8000")

    wait_for(sink, "/urgent", "HighErrorRate")
    wait_for(sink, "/default", "WorkerRestarts")
    sink.wait_until(
        lambda: {alert["labels"].get("instance") for alert in sink.alerts("/urgent")} >= {"a:8000", "b:8000"},
        "the second replica",
    )
    assert alertmanager.suppressed() == {"HighMemoryUsage"}
    assert sink.names("/default") == {"WorkerRestarts"}


def test_inhibited_alert_is_delivered_when_the_service_is_back(alertmanager, sink):
    """An alert that still fires after the service has recovered is delivered."""
    down = {"alertname": "ServiceDown", "severity": "critical", "job": "service"}
    alertmanager.fire(**down)
    wait_for(sink, "/urgent", "ServiceDown")
    alertmanager.fire(alertname="ModelMissing", severity="critical", job="service")

    alertmanager.resolve(**down)

    wait_for(sink, "/urgent", "ModelMissing")


def test_muted_warnings_wait_for_working_hours(sink, tmp_path, require_program):
    """During a mute time, critical alerts are delivered and warnings are not."""
    program = require_program("alertmanager")
    shipped = (FOLDER / "alertmanager.yml").read_text()
    muted = yaml.safe_load(shipped.replace("# mute_time_intervals", "mute_time_intervals"))
    configuration = redirect_to(sink, with_short_waits(muted))
    # Night all day, so that the time of the test does not matter.
    [nights] = [interval for interval in configuration["time_intervals"] if interval["name"] == "nights"]
    nights["time_intervals"] = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]

    with start_alertmanager(program, tmp_path, write_configuration(tmp_path, configuration)) as alertmanager:
        alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service")
        # Sent later with the same wait: when it has arrived, the other one would have too.
        alertmanager.fire(alertname="ModelMissing", severity="critical", job="service")
        wait_for(sink, "/urgent", "ModelMissing")

    assert sink.bodies("/default") == []


def test_shipped_file_runs_without_errors(tmp_path, require_program):
    """With the unchanged file and alerts of every severity, Alertmanager logs neither warnings nor errors."""
    program = require_program("alertmanager")
    with start_alertmanager(program, tmp_path, FOLDER / "alertmanager.yml") as alertmanager:
        alertmanager.fire(alertname="ServiceDown", severity="critical", job="service")
        alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service")
        alertmanager.fire(alertname="Watchdog", severity="none")
        states = {"ServiceDown": "active", "RetrainingNeeded": "suppressed", "Watchdog": "active"}
        wait_until(lambda: alertmanager.states() == states, f"the states {states}")

    assert "level=INFO" in alertmanager.log()
    assert "level=WARN" not in alertmanager.log()
    assert "level=ERROR" not in alertmanager.log()


@pytest.mark.parametrize("name", ["slack", "teams", "pagerduty", "webhook", "email"])
def test_messages_of_examples_are_complete(name, sink, tmp_path, require_program):
    """A message says what fires where, how severe it is and what it means for callers, with links that open."""
    program = require_program("alertmanager")
    secret = tmp_path / "secret"
    # With a trailing newline, as editors write it.
    secret.write_text("a" * 32 + "\n" if name == "pagerduty" else f"{sink.url}/message\n")
    copyfile(FOLDER / "examples" / "messages.tmpl", tmp_path / "messages.tmpl")
    text = json.dumps(with_short_waits(read(f"examples/{name}.yml")))
    [file] = {part for part in text.split('"') if part.startswith("/run/secrets/alertmanager/")}
    configuration = json.loads(text.replace(file, str(secret)))
    if name == "pagerduty":
        # The address is the same for all users, so the example does not contain it.
        configuration["global"] = {"pagerduty_url": f"{sink.url}/message"}
    if name == "email":
        # As a webhook with the same templates, because a mail server would have to speak TLS.
        for receiver in configuration["receivers"][:2]:
            [mail] = receiver.pop("email_configs")
            shown = {"text": mail["text"], "subject": mail["headers"]["Subject"]}
            receiver["webhook_configs"] = [{"url": f"{sink.url}/message", "payload": shown}]

    with start_alertmanager(program, tmp_path, write_configuration(tmp_path, configuration)) as alertmanager:
        for number, severity in enumerate(("warning", "critical"), start=1):
            alertmanager.fire(alertname="ServiceDown", severity=severity, instance=f"replica-{number}")
            sink.wait_until(lambda count=number: len(sink.deliveries) == count, f"the {severity} message")

    for number, (severity, (_, body)) in enumerate(zip(("warning", "critical"), sink.deliveries, strict=True), start=1):
        message = json.dumps(body)
        for part in ("ServiceDown", "summary of", "description of", "impact of", f"replica-{number}"):
            assert part in message
        assert "https://runbook.example/#servicedown" in message
        assert severity in message
        assert "firing" in message.lower() or body["event_action"] == "trigger"
        # A program has the time in the field startsAt.
        link = r"/d/isowatch-glance" + ("" if name == "webhook" else r"\?from=\d{13}&to=now")
        assert re.search(link, message), message
