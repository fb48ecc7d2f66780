"""The page about monitoring says of each metric of the service and each alert what it is for, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.monitoring.declared_metrics import http_metrics, service_metrics
from tests.monitoring.promql import metric_names
from tests.monitoring.rule_files import read_alerts, read_recordings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """Map the names in the first column of the tables under a heading to the other columns."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL).group(1)
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"
    ]
    return {name.strip("`"): rest for name, *rest in cells}


def test_every_metric_has_its_row(tmp_path: Path):
    """What the service has and what is described are the same, and nothing is left blank but labels."""
    described = rows("Metrics of the service")

    assert set(described) == set(service_metrics() | http_metrics(tmp_path))
    assert [name for name, (_, meaning, reason) in described.items() if not (meaning and reason)] == []


def test_every_alert_has_its_row():
    """Alerts and rows are the same, with the same severities."""
    severities: dict[str, list[str]] = {}
    for alert in read_alerts():
        severities.setdefault(alert.name, []).append(alert.labels["severity"])
    described = rows("Alerts")

    assert {name: severity.split(", ") for name, (severity, *_) in described.items()} == {
        name: list(dict.fromkeys(found)) for name, found in severities.items()
    }
    assert [name for name, (_, condition, reason) in described.items() if not (condition and reason)] == []


def test_cost_figures_are_recorded():
    """The series that the page names for cost are recorded."""
    assert set(rows("Cost of a prediction")) <= {rule.name for rule in read_recordings()}


def test_burn_rates_are_the_rules():
    """Windows, factors and waits in the page's table are those of the rules."""
    section = PAGE[PAGE.index("| long window |") :].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()[2:]]
    factors = {rule.labels["window"]: rule.expression for rule in read_recordings() if "factor" in rule.name}
    described = {(short(long), factor, severity) for long, _, factor, _, _, severity in cells}
    windows = {(short(long), short(still)) for long, still, *_ in cells}

    for name in ("AvailabilityBudgetBurn", "LatencyBudgetBurn"):
        alerts = [alert for alert in read_alerts() if alert.name == name]
        assert described == {
            (alert.labels["window"], factors[alert.labels["window"]], alert.labels["severity"]) for alert in alerts
        }
        ratios = [re.findall(r"ratio_rate(\w+)", " ".join(sorted(metric_names(alert.expression)))) for alert in alerts]
        assert {frozenset(pair) for pair in ratios} == {frozenset(pair) for pair in windows}


def short(duration: str) -> str:
    """Write a duration as Prometheus does."""
    return re.sub(r"(\d+) (\w)\w*", r"\1\2", duration)
