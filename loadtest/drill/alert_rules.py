"""The shipped alerting rules, each of which has one line in the drill's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class AlertRule(NamedTuple):
    """The identity of an alerting rule.

    Parameters
    ----------
    name
        Name of the alert.
    window
        Label of the alert that distinguishes rules with the same name by the length of their window; may be empty.

    Examples
    --------
    >>> str(AlertRule("AvailabilityBudgetBurn", "6h"))
    'AvailabilityBudgetBurn 6h'
    """

    name: str
    window: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.window}".rstrip()

    @classmethod
    def of_labels(cls, labels: Mapping[str, str]) -> AlertRule:
        """Return the rule that an alert with these labels comes from."""
        return cls(labels["alertname"], labels.get("window", ""))


def read_rule_files(folder: Path) -> dict[str, Any]:
    """Read all rule files of a folder.

    Returns
    -------
    The parsed files by name.
    """
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yml"))}


def alert_rules(files: Iterable[Mapping[str, Any]]) -> list[AlertRule]:
    """Return the alerting rules of rule files, in order.

    Examples
    --------
    >>> alert_rules([{"groups": [{"rules": [{"record": "a:b"}, {"alert": "Watchdog", "labels": {}}]}]}])
    [AlertRule(name='Watchdog', window='')]
    """
    return [
        AlertRule(rule["alert"], rule.get("labels", {}).get("window", ""))
        for file in files
        for group in file["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
