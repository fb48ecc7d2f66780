"""cAdvisor exports the container labels that rules need."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.monitoring.rule_files import read_alerts

COMPOSE_FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"


def test_labels_in_rules_are_exported():
    """All container labels in alerts are exported, and the restart count, which distinguishes runs."""
    options = yaml.safe_load(COMPOSE_FILE.read_text())["services"]["cadvisor"]["command"]
    listed = next(option for option in options if option.startswith("--whitelisted_container_labels=")).partition("=")[
        2
    ]
    exported = {"container_label_" + re.sub(r"\W", "_", label) for label in listed.split(",")}
    used = {label for alert in read_alerts() for label in re.findall(r"container_label_\w+", alert.expression)}

    assert used | {"container_label_restartcount"} <= exported
