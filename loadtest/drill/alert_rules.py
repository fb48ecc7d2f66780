"""The alerts that are shipped, one line of the drill for each rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class AlertRule(NamedTuple):
    """What tells an alerting rule from all others.

    Parameters
    ----------
    name
        Of the alert.
    window
        Rules of one name look at windows of different lengths, which is a label of the alert; empty for others.

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
        """Tell which rule an alert comes from."""
        return cls(labels["alertname"], labels.get("window", ""))


def read_rule_files(folder: Path) -> dict[str, Any]:
    """Read all rule files of a folder.

    Returns
    -------
    What they hold, by file name.
    """
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yml"))}


def alert_rules(files: Iterable[Mapping[str, Any]]) -> list[AlertRule]:
    """List the alerting rules of rule files, in their order.

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
