"""The rules that Prometheus loads, and their promtool tests, parsed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PROMETHEUS = Path(__file__).resolve().parents[2] / "monitoring" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS = sorted((PROMETHEUS / "rule_tests").glob("*.yml"))


@dataclass(frozen=True)
class Rule:
    """An alerting or recording rule."""

    name: str
    expression: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AlertCase:
    """The expected state of an alert at one time of a promtool test."""

    test: str
    alert: str
    is_firing: bool


def read_alerts() -> list[Rule]:
    """Read all alerts; some have the same name and different windows."""
    return _read("alert")


def read_recordings() -> list[Rule]:
    """Read all recording rules."""
    return _read("record")


def read_alert_cases() -> list[AlertCase]:
    """Read the expected alert states of all promtool tests."""
    return [
        AlertCase(test["name"], case["alertname"], bool(case.get("exp_alerts")))
        for path in RULE_TESTS
        for test in _parse(path)["tests"]
        for case in test.get("alert_rule_test", [])
    ]


def _read(kind: str) -> list[Rule]:
    """Read the rules of one kind, ``alert`` or ``record``."""
    return [
        Rule(rule[kind], str(rule["expr"]), rule.get("labels", {}), rule.get("annotations", {}))
        for path in RULE_FILES
        for group in _parse(path)["groups"]
        for rule in group["rules"]
        if kind in rule
    ]


@cache
def _parse(path: Path) -> Any:
    """Parse a YAML file, once: they have thousands of lines."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
