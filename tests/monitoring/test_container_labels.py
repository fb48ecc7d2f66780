"""cAdvisor keeps the labels of containers that rules stand on."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.monitoring.rule_files import read_alerts

COMPOSE_FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"


def test_labels_in_rules_are_kept():
    """What an alert names of a container is exported, and so is the number of restarts, which tells runs apart."""
    options = yaml.safe_load(COMPOSE_FILE.read_text())["services"]["cadvisor"]["command"]
    kept = next(option for option in options if option.startswith("--whitelisted_container_labels=")).partition("=")[2]
    exported = {"container_label_" + re.sub(r"\W", "_", label) for label in kept.split(",")}
    named = {label for alert in read_alerts() for label in re.findall(r"container_label_\w+", alert.expression)}

    assert named | {"container_label_restartcount"} <= exported
