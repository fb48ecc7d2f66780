"""docs/monitoring.md describes every metric of the service and every alert, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from tests.monitoring.declared_metrics import http_metrics, service_metrics
from tests.monitoring.promql import metric_names
from tests.monitoring.rule_files import read_alerts, read_recordings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """Map the first column of the tables under a heading to the other columns."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL).group(1)
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"
    ]
    return {name.strip("`"): rest for name, *rest in cells}


def test_every_metric_has_its_row(tmp_path: Path):
    """The page lists exactly the metrics of the service; only the column for labels may be empty."""
    described = rows("Metrics of the service")

    assert set(described) == set(service_metrics() | http_metrics(tmp_path))
    assert [name for name, (_, meaning, reason) in described.items() if not (meaning and reason)] == []


def test_every_alert_has_its_row():
    """The page lists exactly the alerts, with their severities."""
    severities: dict[str, list[str]] = {}
    for alert in read_alerts():
        severities.setdefault(alert.name, []).append(alert.labels["severity"])
    described = rows("Alerts")

    assert {name: severity.split(", ") for name, (severity, *_) in described.items()} == {
        name: list(dict.fromkeys(found)) for name, found in severities.items()
    }
    assert [name for name, (_, condition, reason) in described.items() if not (condition and reason)] == []


def test_cost_figures_are_recorded():
    """The rules record all cost series on the page."""
    assert set(rows("Cost of a prediction")) <= {rule.name for rule in read_recordings()}


def test_burn_rates_match_the_rules():
    """Windows, factors and severities in the page's table are those of the rules."""
    section = PAGE[PAGE.index("| long window |") :].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()[2:]]
    factors = {rule.labels["window"]: rule.expression for rule in read_recordings() if "factor" in rule.name}
    described = {(prometheus_duration(long), factor, severity) for long, _, factor, _, _, severity in cells}
    windows = {(prometheus_duration(long), prometheus_duration(brief)) for long, brief, *_ in cells}

    names = {alert.name for alert in read_alerts() if alert.name.endswith("BudgetBurn")}
    assert len(names) == 4
    for name in names:
        alerts = [alert for alert in read_alerts() if alert.name == name]
        assert described == {
            (alert.labels["window"], factors[alert.labels["window"]], alert.labels["severity"]) for alert in alerts
        }
        ratios = [re.findall(r"ratio_rate(\w+)", " ".join(sorted(metric_names(alert.expression)))) for alert in alerts]
        assert {frozenset(pair) for pair in ratios} == {frozenset(pair) for pair in windows}


def prometheus_duration(duration: str) -> str:
    """Return a duration in Prometheus's notation."""
    return re.sub(r"(\d+) (\w)\w*", r"\1\2", duration)
