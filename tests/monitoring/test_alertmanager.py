"""Alertmanager's configurations: they are valid, differ only in their receivers, and route alerts correctly."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "monitoring" / "alertmanager"
SHIPPED = FOLDER / "alertmanager.yml"
# Notifies a program as well, so it has one more route than the other files.
RETRAINING = FOLDER / "examples" / "retraining.yml"
EXAMPLES = sorted(set((FOLDER / "examples").glob("*.yml")) - {RETRAINING})
FILES = [SHIPPED, *EXAMPLES, RETRAINING]

# Where Compose mounts the folder secrets/alertmanager.
SECRETS = "/run/secrets/alertmanager/"


def read(path):
    """Read a configuration."""
    return yaml.safe_load(path.read_text())


def file_name(path):
    """Return the id of a file in pytest's output."""
    return path.stem


def values(tree, path=()):
    """Yield every value of a configuration with its path of keys."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from values(value, (*path, key))
    else:
        yield path, tree


def with_dead_mans_switch(text):
    """Uncomment the webhook of the watchdog receiver."""
    active, count = re.subn(r"# (webhook_configs: .*)", r"\1", text)
    assert count == 1
    return active


@pytest.mark.parametrize("path", FILES, ids=file_name)
def test_configuration_is_valid(path, require_program):
    """Amtool accepts every file."""
    amtool = require_program("amtool")

    done = subprocess.run([amtool, "check-config", path], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("path", FILES, ids=file_name)
def test_dead_mans_switch_can_be_uncommented(path, tmp_path, require_program):
    """The commented-out webhook of the watchdog receiver is valid."""
    amtool = require_program("amtool")
    modified = tmp_path / "alertmanager.yml"
    modified.write_text(with_dead_mans_switch(path.read_text()))

    done = subprocess.run([amtool, "check-config", modified], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout
    [watchdog] = [receiver for receiver in read(modified)["receivers"] if receiver["name"] == "watchdog"]
    assert watchdog["webhook_configs"][0]["url_file"].startswith(SECRETS)


def test_every_integration_has_an_example():
    """There are examples for Slack, Teams, e-mail, PagerDuty and a webhook."""
    assert [path.stem for path in EXAMPLES] == ["email", "pagerduty", "slack", "teams", "webhook"]


@pytest.mark.parametrize("path", EXAMPLES, ids=file_name)
@pytest.mark.parametrize("part", ["route", "inhibit_rules", "time_intervals"])
def test_example_differs_from_the_shipped_file_only_in_its_receivers(path, part):
    """Routes, inhibition rules and mute times are the same in all files; change them together."""
    assert read(path)[part] == read(SHIPPED)[part]


@pytest.mark.parametrize("path", EXAMPLES, ids=file_name)
def test_example_has_no_other_settings(path):
    """Besides the settings of the shipped file, an example has at most those of its mail server, and its messages."""
    assert set(read(path)) - {"global", "templates"} == set(read(SHIPPED))
    assert read(path).get("templates", ["messages.tmpl"]) == ["messages.tmpl"]
    assert all(name.startswith("smtp_") for name in read(path).get("global", {}))


@pytest.mark.parametrize("path", EXAMPLES, ids=file_name)
def test_example_notifies_of_alerts_and_resolutions(path):
    """Both receivers for people are set up, and are also notified of resolutions."""
    receivers = {receiver.pop("name"): receiver for receiver in read(path)["receivers"]}

    assert set(receivers) == {"default", "urgent", "watchdog"}
    for name in ("default", "urgent"):
        [integrations] = receivers[name].values()
        # PagerDuty sends resolutions by default.
        assert all(settings.get("send_resolved", "routing_key_file" in settings) for settings in integrations)


def test_shipped_file_notifies_nobody():
    """Without configuration no receiver has an integration, so no notification can fail."""
    assert [list(receiver) for receiver in read(SHIPPED)["receivers"]] == [["name"]] * 3


@pytest.mark.parametrize("path", [*EXAMPLES, RETRAINING], ids=file_name)
def test_secrets_come_from_files(path):
    """Keys, passwords and webhook addresses are never in the configuration itself."""
    settings = list(values(read(path)))
    files = [value for names, value in settings if str(names[-1]).endswith("_file")]

    assert files
    assert all(value.startswith(SECRETS) for value in files)
    for names, value in settings:
        assert names[-1] not in {"api_url", "webhook_url", "url", "routing_key", "smtp_auth_password"}, value


@pytest.mark.parametrize("path", FILES, ids=file_name)
def test_file_documents_its_use(path):
    """Each example names the setting that selects it and its secret file; the shipped file refers to the README."""
    head = path.read_text().split("\nroute:")[0]

    if path == SHIPPED:
        assert "README.md" in head
    else:
        assert f"ALERTMANAGER_CONFIG=./{path.relative_to(FOLDER.parents[1])}" in head
        [secret] = {value for names, value in values(read(path)) if str(names[-1]).endswith("_file")}
        assert secret.replace("/run/", "") in head


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("urgent", "alertname=ServiceDown severity=critical job=service"),
        ("urgent", "alertname=AvailabilityBudgetBurn severity=critical job=service window=1h"),
        ("default", "alertname=AvailabilityBudgetBurn severity=warning job=service window=3d"),
        ("default", "alertname=HostDiskFilling severity=warning job=node"),
        ("default", "alertname=DriftDetected severity=warning job=service"),
        ("default", "alertname=DriftNotWatched severity=info job=service"),
        ("default", "alertname=AlertOfYourOwn"),
        ("watchdog", "alertname=Watchdog severity=none"),
    ],
)
@pytest.mark.parametrize("path", FILES, ids=file_name)
def test_alert_is_routed_to_its_receiver(path, receiver, labels, require_program):
    """Critical alerts are urgent; warnings and alerts without a severity go to default, Watchdog to watchdog."""
    amtool = require_program("amtool")
    command = [amtool, "config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}"]

    done = subprocess.run([*command, *labels.split()], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout


def test_retraining_example_adds_a_route_and_its_receiver():
    """Copying these two into another file is enough, and the receiver gets no resolutions."""
    shipped, retraining = read(SHIPPED), read(RETRAINING)
    [route] = [route for route in retraining["route"]["routes"] if route["receiver"] == "retraining"]
    [receiver] = [receiver for receiver in retraining["receivers"] if receiver["name"] == "retraining"]
    retraining["route"]["routes"].remove(route)
    retraining["receivers"].remove(receiver)

    assert retraining == shipped
    assert [webhook["send_resolved"] for webhook in receiver["webhook_configs"]] == [False]


@pytest.mark.parametrize(
    ("receivers", "labels"),
    [
        ("retraining,default", "alertname=RetrainingNeeded severity=warning job=service reason=drift"),
        ("default", "alertname=PrecisionBelowTarget severity=warning job=service"),
    ],
)
def test_retraining_alert_is_routed_to_a_program_and_to_people(receivers, labels, require_program):
    """The program is notified of RetrainingNeeded only."""
    amtool = require_program("amtool")
    command = [amtool, "config", "routes", "test", f"--config.file={RETRAINING}", f"--verify.receivers={receivers}"]

    done = subprocess.run([*command, *labels.split()], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout


MUTED = "      # mute_time_intervals: [nights, weekends]\n"


def test_only_warnings_on_drift_and_quality_can_be_muted():
    """Nothing is muted as shipped; uncommenting one line mutes them and no alert on a fault."""
    routes = [read(SHIPPED)["route"], *read(SHIPPED)["route"]["routes"]]
    assert [route for route in routes if "mute_time_intervals" in route] == []

    edited = yaml.safe_load(SHIPPED.read_text().replace(MUTED, MUTED.replace("# ", "")))
    [muted] = [route for route in edited["route"]["routes"] if "mute_time_intervals" in route]
    warnings, names = muted["matchers"]
    assert warnings == 'severity="warning"'
    assert {"DriftDetected", "RetrainingNeeded"} <= set(names.split('"')[1].split("|"))
    assert not set(names.split('"')[1].split("|")) & {"HostDiskFilling", "TargetDown", "RecordsNotWritten"}


@pytest.mark.parametrize("path", FILES, ids=file_name)
def test_every_file_can_be_muted(path):
    """The commented-out line is in each of them."""
    assert path.read_text().count(MUTED) == 1
