"""What a real Alertmanager tells whom: inhibition, mute times, messages and their end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.monitoring.running_alertmanager import (
    RunningAlertmanager,
    shortened,
    start_alertmanager,
    write_configuration,
)
from tests.monitoring.webhook_sink import WebhookSink
from tests.system.running_service import wait_until

pytestmark = pytest.mark.system

FOLDER = Path(__file__).resolve().parents[2] / "monitoring" / "alertmanager"


def read(name):
    """Read a shipped configuration."""
    return yaml.safe_load((FOLDER / name).read_text())


def told_to(sink, configuration):
    """Let every receiver tell the sink, under a path of its own name."""
    names = [receiver["name"] for receiver in configuration["receivers"]]
    receivers = [{"name": name, "webhook_configs": [{"url": f"{sink.url}/{name}"}]} for name in names]
    return configuration | {"receivers": receivers}


def at_any_hour(configuration):
    """Take the mute times off the routes, so that a test says the same at night."""
    for route in configuration["route"]["routes"]:
        route.pop("mute_time_intervals", None)
    return configuration


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    """Who is told."""
    with WebhookSink() as sink:
        yield sink


@pytest.fixture
def alertmanager(
    sink: WebhookSink, tmp_path: Path, require_program: Callable[[str], Path]
) -> Iterator[RunningAlertmanager]:
    """An Alertmanager with the shipped routes and inhibition, short waits, and the sink behind each receiver."""
    program = require_program("alertmanager")
    configuration = told_to(sink, at_any_hour(shortened(read("alertmanager.yml"))))
    with start_alertmanager(program, tmp_path, write_configuration(tmp_path, configuration)) as alertmanager:
        yield alertmanager


def wait_for(sink, path, name, status="firing"):
    """Wait until the sink was told of an alert."""
    sink.wait_until(lambda: name in sink.names(path, status), f"{name} {status} at {path}")


def test_alert_and_its_end_are_told(alertmanager, sink):
    """A critical alert arrives where urgent ones go with its annotations, and so does its end."""
    labels = {"alertname": "ServiceDown", "severity": "critical", "job": "service"}

    alertmanager.fire(**labels)
    wait_for(sink, "/urgent", "ServiceDown")
    alertmanager.resolve(**labels)
    wait_for(sink, "/urgent", "ServiceDown", "resolved")

    assert sink.alerts("/urgent")[0]["annotations"]["summary"] == "summary of ServiceDown"
    assert sink.bodies("/default") == []


def test_critical_silences_the_warning_of_the_same_name(alertmanager, sink):
    """A budget that burns within hours is not told a second time as one that burns within days."""
    alertmanager.fire(alertname="AvailabilityBudgetBurn", severity="critical", job="service", window="1h")
    wait_for(sink, "/urgent", "AvailabilityBudgetBurn")

    alertmanager.fire(alertname="AvailabilityBudgetBurn", severity="warning", job="service", window="3d")
    # Comes later and waits as long: when it has arrived, the other would have too.
    alertmanager.fire(alertname="LatencyBudgetBurn", severity="warning", job="service", window="3d")
    wait_for(sink, "/default", "LatencyBudgetBurn")

    assert sink.names("/default") == {"LatencyBudgetBurn"}


def test_critical_of_one_disk_does_not_silence_another(alertmanager, sink):
    """Only the warning about the same thing is one too many."""
    alertmanager.fire(alertname="HostDiskFilling", severity="critical", job="node", instance="a", mountpoint="/")
    wait_for(sink, "/urgent", "HostDiskFilling")

    alertmanager.fire(alertname="HostDiskFilling", severity="warning", job="node", instance="a", mountpoint="/data")

    wait_for(sink, "/default", "HostDiskFilling")


def test_retraining_for_precision_is_not_told_twice(alertmanager, sink):
    """The alert that says what to do stands for the one that says what is wrong; another reason does not."""
    alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service", reason="drift")
    alertmanager.fire(alertname="PrecisionBelowTarget", severity="warning", job="service")
    wait_for(sink, "/default", "PrecisionBelowTarget")

    alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service", reason="precision")

    sink.wait_until(lambda: alertmanager.suppressed() == {"PrecisionBelowTarget"}, "the alert that is held back")


def test_service_down_silences_what_it_causes_and_nothing_else(alertmanager, sink):
    """Of a dead service one message comes, beside those that may say why, and Watchdog."""
    alertmanager.fire(alertname="ServiceDown", severity="critical", job="service")
    wait_for(sink, "/urgent", "ServiceDown")

    alertmanager.fire(alertname="ModelMissing", severity="critical", job="service", instance="a:8000")
    alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service")
    others = {"ContainerRestarting": "cadvisor", "HostDiskFilling": "node", "TrainingFailed": "training"}
    for name, job in others.items():
        alertmanager.fire(alertname=name, severity="warning", job=job)
    # Even if somebody gives it a job.
    alertmanager.fire(alertname="Watchdog", severity="none", job="service")

    sink.wait_until(lambda: sink.names("/default") >= set(others), "the alerts of other jobs")
    wait_for(sink, "/watchdog", "Watchdog")
    assert sink.names("/urgent") == {"ServiceDown"}
    assert sink.names("/default") == set(others)
    assert alertmanager.suppressed() == {"ModelMissing", "RetrainingNeeded"}


def test_dead_replica_silences_only_itself(alertmanager, sink):
    """While one replica is down, what the others and the service as a whole suffer from is told."""
    alertmanager.fire(alertname="ServiceDown", severity="critical", job="service", instance="a:8000")
    wait_for(sink, "/urgent", "ServiceDown")

    alertmanager.fire(alertname="HighMemoryUsage", severity="warning", job="service", instance="a:8000")
    alertmanager.fire(alertname="WorkerRestarts", severity="warning", job="service", instance="c:8000")
    alertmanager.fire(alertname="HighErrorRate", severity="critical", job="service")
    # A second one that is down is told too.
    alertmanager.fire(alertname="ServiceDown", severity="critical", job="service", instance="b:8000")

    wait_for(sink, "/urgent", "HighErrorRate")
    wait_for(sink, "/default", "WorkerRestarts")
    sink.wait_until(
        lambda: {alert["labels"].get("instance") for alert in sink.alerts("/urgent")} >= {"a:8000", "b:8000"},
        "the second replica",
    )
    assert alertmanager.suppressed() == {"HighMemoryUsage"}
    assert sink.names("/default") == {"WorkerRestarts"}


def test_silenced_alert_is_told_when_the_service_is_back(alertmanager, sink):
    """What is still wrong after the service came back is not forgotten."""
    down = {"alertname": "ServiceDown", "severity": "critical", "job": "service"}
    alertmanager.fire(**down)
    wait_for(sink, "/urgent", "ServiceDown")
    alertmanager.fire(alertname="ModelMissing", severity="critical", job="service")

    alertmanager.resolve(**down)

    wait_for(sink, "/urgent", "ModelMissing")


def test_warnings_wait_until_people_work(sink, tmp_path, require_program):
    """In a mute time a critical alert is told and a warning is not."""
    program = require_program("alertmanager")
    configuration = told_to(sink, shortened(read("alertmanager.yml")))
    # A night that never ends, whenever the test runs.
    [nights] = [interval for interval in configuration["time_intervals"] if interval["name"] == "nights"]
    nights["time_intervals"] = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]

    with start_alertmanager(program, tmp_path, write_configuration(tmp_path, configuration)) as alertmanager:
        alertmanager.fire(alertname="RetrainingNeeded", severity="warning", job="service")
        # Comes later and waits as long: when it has arrived, the other would have too.
        alertmanager.fire(alertname="ModelMissing", severity="critical", job="service")
        wait_for(sink, "/urgent", "ModelMissing")

    assert sink.bodies("/default") == []


def test_shipped_file_runs_without_an_error(tmp_path, require_program):
    """Unchanged, with alerts of every kind, Alertmanager neither warns nor fails."""
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


@pytest.mark.parametrize("name", ["slack", "teams", "pagerduty", "webhook"])
def test_message_of_an_example_says_what_a_person_needs(name, sink, tmp_path, require_program):
    """What the example sends holds name, state, summary, description and where the runbook is."""
    program = require_program("alertmanager")
    secret = tmp_path / "secret"
    # As an editor leaves it, with a newline at the end.
    secret.write_text("a" * 32 + "\n" if name == "pagerduty" else f"{sink.url}/message\n")
    text = json.dumps(at_any_hour(shortened(read(f"examples/{name}.yml"))))
    [file] = {part for part in text.split('"') if part.startswith("/run/secrets/alertmanager/")}
    configuration = json.loads(text.replace(file, str(secret)))
    if name == "pagerduty":
        # Its address is the same for everybody, so no example names it.
        configuration["global"] = {"pagerduty_url": f"{sink.url}/message"}

    with start_alertmanager(program, tmp_path, write_configuration(tmp_path, configuration)) as alertmanager:
        for number, severity in enumerate(("warning", "critical"), start=1):
            alertmanager.fire(alertname="ServiceDown", severity=severity, instance=severity)
            sink.wait_until(lambda count=number: len(sink.deliveries) == count, f"the {severity} message")

    for _, body in sink.deliveries:
        message = json.dumps(body)
        for part in ("ServiceDown", "summary of", "description of", "runbook#servicedown"):
            assert part in message
        assert "firing" in message.lower() or body["event_action"] == "trigger"
