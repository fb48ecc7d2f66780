"""Alertmanager's configurations: valid, the same but for who is told, and each alert goes where it should."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "monitoring" / "alertmanager"
SHIPPED = FOLDER / "alertmanager.yml"
# A program that trains is told besides people, so it has a route that the other files have not.
RETRAINING = FOLDER / "examples" / "retraining.yml"
EXAMPLES = sorted(set((FOLDER / "examples").glob("*.yml")) - {RETRAINING})
FILES = [SHIPPED, *EXAMPLES, RETRAINING]

# Where Compose shows the folder secrets/alertmanager.
SECRETS = "/run/secrets/alertmanager/"


def read(path):
    """Read a configuration."""
    return yaml.safe_load(path.read_text())


def name_of(path):
    """Name a file in the output of pytest."""
    return path.stem


def values(tree, path=()):
    """Yield every leaf of a configuration with the names that lead to it."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from values(value, (*path, key))
    else:
        yield path, tree


def uncommented(text):
    """Let the receiver that is ready for a dead man's switch count."""
    active, count = re.subn(r"# (webhook_configs: .*)", r"\1", text)
    assert count == 1
    return active


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_configuration_is_valid(path, require_program):
    """Alertmanager's own checker accepts every file."""
    amtool = require_program("amtool")

    done = subprocess.run([amtool, "check-config", path], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_dead_mans_switch_is_ready(path, tmp_path, require_program):
    """The comment below the receiver watchdog becomes a valid receiver when it is taken out of the comment."""
    amtool = require_program("amtool")
    derived = tmp_path / "alertmanager.yml"
    derived.write_text(uncommented(path.read_text()))

    done = subprocess.run([amtool, "check-config", derived], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout
    [watchdog] = [receiver for receiver in read(derived)["receivers"] if receiver["name"] == "watchdog"]
    assert watchdog["webhook_configs"][0]["url_file"].startswith(SECRETS)


def test_every_way_to_be_told_has_an_example():
    """Slack, Teams, e-mail, PagerDuty and a webhook are there to be taken."""
    assert [path.stem for path in EXAMPLES] == ["email", "pagerduty", "slack", "teams", "webhook"]


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
@pytest.mark.parametrize("part", ["route", "inhibit_rules", "time_intervals"])
def test_example_differs_from_the_shipped_file_only_in_its_receivers(path, part):
    """Routes, inhibition and mute times are one thing in six files: who changes one changes all."""
    assert read(path)[part] == read(SHIPPED)[part]


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_example_has_nothing_else(path):
    """An example says nothing besides but how its server is reached."""
    assert set(read(path)) - {"global"} == set(read(SHIPPED))
    assert all(name.startswith("smtp_") for name in read(path).get("global", {}))


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_example_tells_of_alerts_and_of_their_end(path):
    """Both receivers for people are set up, and say when an alert has ended."""
    receivers = {receiver.pop("name"): receiver for receiver in read(path)["receivers"]}

    assert set(receivers) == {"default", "urgent", "watchdog"}
    for name in ("default", "urgent"):
        [ways] = receivers[name].values()
        # PagerDuty closes its incidents unless it is told not to.
        assert all(way.get("send_resolved", "routing_key_file" in way) for way in ways)


def test_shipped_file_tells_nobody():
    """With nothing configured there is nobody to be reached, so nothing can fail."""
    assert [list(receiver) for receiver in read(SHIPPED)["receivers"]] == [["name"]] * 3


@pytest.mark.parametrize("path", [*EXAMPLES, RETRAINING], ids=name_of)
def test_secrets_come_from_files(path):
    """What nobody else may know is never in the file itself: no key, no password, no address of a webhook."""
    leaves = list(values(read(path)))
    files = [value for names, value in leaves if str(names[-1]).endswith("_file")]

    assert files
    assert all(value.startswith(SECRETS) for value in files)
    for names, value in leaves:
        assert names[-1] not in {"api_url", "webhook_url", "url", "routing_key", "smtp_auth_password"}, value


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_says_how_it_is_taken(path):
    """Each example names the setting that takes it and the file of its secret; the shipped one names the README."""
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
        ("default", "alertname=AlertOfYourOwn"),
        ("watchdog", "alertname=Watchdog severity=none"),
    ],
)
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_alert_goes_to_its_receiver(path, receiver, labels, require_program):
    """Critical is urgent, a warning is not, an alert without a severity is not lost, Watchdog goes its own way."""
    amtool = require_program("amtool")
    command = [amtool, "config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}"]

    done = subprocess.run([*command, *labels.split()], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout


def test_retraining_differs_from_the_shipped_file_in_a_route_and_its_receiver():
    """Who copies the two into another file has all there is to it; nobody else is told of anything by it."""
    shipped, retraining = read(SHIPPED), read(RETRAINING)
    [route] = [route for route in retraining["route"]["routes"] if route["receiver"] == "retraining"]
    [receiver] = [receiver for receiver in retraining["receivers"] if receiver["name"] == "retraining"]
    retraining["route"]["routes"].remove(route)
    retraining["receivers"].remove(receiver)

    assert retraining == shipped
    assert [way["send_resolved"] for way in receiver["webhook_configs"]] == [False]


@pytest.mark.parametrize(
    ("receivers", "labels"),
    [
        ("retraining,default", "alertname=RetrainingNeeded severity=warning job=service reason=drift"),
        ("default", "alertname=PrecisionBelowTarget severity=warning job=service"),
    ],
)
def test_retraining_is_told_to_a_program_and_to_people(receivers, labels, require_program):
    """The program hears of what it is there for, and of nothing else."""
    amtool = require_program("amtool")
    command = [amtool, "config", "routes", "test", f"--config.file={RETRAINING}", f"--verify.receivers={receivers}"]

    done = subprocess.run([*command, *labels.split()], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr + done.stdout


def test_only_warnings_are_muted():
    """No other route has hours in which nobody is told."""
    routes = [read(SHIPPED)["route"], *read(SHIPPED)["route"]["routes"]]

    muted = [route.get("matchers") for route in routes if "mute_time_intervals" in route]

    assert muted == [['severity="warning"']]
