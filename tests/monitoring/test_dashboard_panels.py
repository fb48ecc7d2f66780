"""Each panel has a description, a unit, legends and alert thresholds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.monitoring.generated_dashboards import Panel, read_panels
from tests.monitoring.promql import metric_names
from tests.monitoring.rule_files import read_alerts

PANELS = read_panels()
RUNBOOK = Path(__file__).resolve().parents[2] / "monitoring" / "runbook.md"

# Panel types that need no plugin, in Grafana and in the program that renders the pictures.
KINDS = {"timeseries", "stat", "gauge", "bargauge", "table"}

every_panel = pytest.mark.parametrize("panel", PANELS, ids=str)


def alerts_named_by(panel: Panel) -> dict[str, str]:
    """Return the alerts in a panel's description, with their anchors in the runbook."""
    return dict(re.findall(r"Alert (\w+): monitoring/runbook\.md#(\w+)", panel.json["description"]))


@every_panel
def test_panel_is_complete(panel: Panel):
    """A panel has a title, a description in sentences, a known type, and queries."""
    assert panel.json["title"]
    assert re.fullmatch(r"[A-Z0-9].*(\.|#\w+|`\.)", panel.json["description"])
    assert panel.json["type"] in KINDS
    assert panel.json["targets"]


def test_titles_are_unique_on_a_dashboard():
    """No two panels of a dashboard have the same title."""
    titles = [str(panel) for panel in PANELS]

    assert len(set(titles)) == len(titles)


@every_panel
def test_numbers_have_a_unit(panel: Panel):
    """Every panel has a unit, possibly the explicit one for dimensionless numbers."""
    assert panel.json["fieldConfig"]["defaults"]["unit"]


@every_panel
def test_queries_have_ref_ids(panel: Panel):
    """The queries of a panel are lettered consecutively."""
    ref_ids = [target["refId"] for target in panel.json["targets"]]

    assert ref_ids == [chr(ord("A") + position) for position in range(len(ref_ids))]


@every_panel
def test_queries_have_legends(panel: Panel):
    """Every query has a legend, except in tables, which have headings."""
    if panel.json["type"] != "table":
        assert all(target["legendFormat"] for target in panel.json["targets"])


@every_panel
def test_legends_use_existing_labels(panel: Panel):
    """A legend contains only labels that the aggregation keeps."""
    for target in panel.json["targets"]:
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            grouped = re.findall(r"by \(([\w, ]+)\)", target["expr"])
            if grouped:
                assert any(label in labels.split(", ") for labels in grouped), target["expr"]


@every_panel
def test_graphs_use_range_queries(panel: Panel):
    """Only names, named states, tables and totals of the time range use instant queries."""
    instant = [target for target in panel.json["targets"] if target.get("instant")]
    if all("$__range" in target["expr"] for target in instant):
        assert not instant or panel.json["type"] == "bargauge"
    else:
        assert panel.json["type"] == "table" or panel.json["options"]["textMode"] in ("name", "value_and_name")


@every_panel
def test_descriptions_refer_to_existing_alerts(panel: Panel):
    """The alerts in a description exist, and the runbook has their headings."""
    headings = {
        line.removeprefix("## ").strip().lower() for line in RUNBOOK.read_text().splitlines() if line[:3] == "## "
    }
    names = {alert.name for alert in read_alerts()}
    # Also counts references that alerts_named_by cannot parse.
    assert len(alerts_named_by(panel)) >= panel.json["description"].count("Alert ")
    for alert, anchor in alerts_named_by(panel).items():
        assert alert in names
        assert anchor == alert.lower()
        assert anchor in headings


@every_panel
def test_graphs_show_alert_thresholds(panel: Panel):
    """A graph that refers to an alert shows the alert's threshold."""
    if panel.json["type"] != "timeseries":
        return
    for name in alerts_named_by(panel):
        expressions = [alert.expression for alert in read_alerts() if alert.name == name]
        thresholds = {
            metric
            for expression in expressions
            for metric in metric_names(expression)
            if metric.startswith("threshold:")
        }
        shown = {metric for query in panel.queries for metric in metric_names(query)}
        assert not thresholds or thresholds & shown, (name, thresholds)


@every_panel
def test_thresholds_are_dashed(panel: Panel):
    """Thresholds look different from measurements."""
    thresholds = {target["legendFormat"] for target in panel.json["targets"]} & {
        "alerts above",
        "alerts below",
        "threshold",
    }
    dashed = {
        override["matcher"]["options"]
        for override in panel.json["fieldConfig"]["overrides"]
        if any(setting["id"] == "custom.lineStyle" for setting in override["properties"])
    }

    assert thresholds == dashed
