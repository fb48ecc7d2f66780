"""Each panel says what it shows, in which unit, and where an alert would fire."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.monitoring.generated_dashboards import Panel, read_panels
from tests.monitoring.promql import metric_names
from tests.monitoring.rule_files import read_alerts

PANELS = read_panels()
RUNBOOK = Path(__file__).resolve().parents[2] / "monitoring" / "runbook.md"

# What Grafana and the program that draws the pictures have without a plugin.
KINDS = {"timeseries", "stat", "gauge", "bargauge", "table"}

every_panel = pytest.mark.parametrize("panel", PANELS, ids=str)


def alerts_named_by(panel: Panel) -> dict[str, str]:
    """Find the alerts that a description names, each with its place in the runbook."""
    return dict(re.findall(r"Alert (\w+): monitoring/runbook\.md#(\w+)", panel.json["description"]))


@every_panel
def test_panel_explains_itself(panel: Panel):
    """A title, a description in sentences, a kind that can be drawn, and something to show."""
    assert panel.json["title"]
    assert re.fullmatch(r"[A-Z0-9].*(\.|#\w+|`\.)", panel.json["description"])
    assert panel.json["type"] in KINDS
    assert panel.json["targets"]


def test_titles_are_unique_on_a_dashboard():
    """Two panels of one name cannot be spoken of."""
    titles = [str(panel) for panel in PANELS]

    assert len(set(titles)) == len(titles)


@every_panel
def test_numbers_have_a_unit(panel: Panel):
    """No number stands without saying what it counts, be it that it has no unit."""
    assert panel.json["fieldConfig"]["defaults"]["unit"]


@every_panel
def test_queries_have_letters(panel: Panel):
    """Each query of a panel can be told from the others."""
    letters = [target["refId"] for target in panel.json["targets"]]

    assert letters == [chr(ord("A") + place) for place in range(len(letters))]


@every_panel
def test_legends_say_what_a_line_is(panel: Panel):
    """No line is called by its query; tables have headings instead."""
    if panel.json["type"] != "table":
        assert all(target["legendFormat"] for target in panel.json["targets"])


@every_panel
def test_series_are_told_apart_by_their_legend(panel: Panel):
    """The labels that an aggregation keeps, and only they, are in the legend."""
    for target in panel.json["targets"]:
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            grouped = re.findall(r"by \(([\w, ]+)\)", target["expr"])
            if grouped:
                assert any(label in labels.split(", ") for labels in grouped), target["expr"]


@every_panel
def test_no_graph_is_drawn_from_one_moment(panel: Panel):
    """Only words, tables and totals of the time shown ask for this moment alone."""
    moments = [target for target in panel.json["targets"] if target.get("instant")]
    if all("$__range" in target["expr"] for target in moments):
        assert not moments or panel.json["type"] == "bargauge"
    else:
        assert panel.json["type"] == "table" or panel.json["options"]["textMode"] == "name"


@every_panel
def test_alerts_are_named_with_their_place_in_the_runbook(panel: Panel):
    """What a description says of alerts is true, and the runbook has the heading."""
    headings = {
        line.removeprefix("## ").strip().lower() for line in RUNBOOK.read_text().splitlines() if line[:3] == "## "
    }
    names = {alert.name for alert in read_alerts()}
    # A place in the runbook without a name before it would be found by nobody.
    assert len(alerts_named_by(panel)) >= panel.json["description"].count("Alert ")
    for alert, place in alerts_named_by(panel).items():
        assert alert in names
        assert place == alert.lower()
        assert place in headings


@every_panel
def test_graphs_show_where_the_alert_fires(panel: Panel):
    """A graph about which there is an alert shows the threshold that the alert compares with."""
    if panel.json["type"] != "timeseries":
        return
    for name in alerts_named_by(panel):
        expressions = [alert.expression for alert in read_alerts() if alert.name == name]
        wanted = {
            metric
            for expression in expressions
            for metric in metric_names(expression)
            if metric.startswith("threshold:")
        }
        shown = {metric for query in panel.queries for metric in metric_names(query)}
        assert not wanted or wanted & shown, (name, wanted)


@every_panel
def test_limits_are_dashed(panel: Panel):
    """What is no measurement does not look like one."""
    limits = {target["legendFormat"] for target in panel.json["targets"]} & {
        "alerts above",
        "alerts below",
        "alarm line",
    }
    dashed = {
        override["matcher"]["options"]
        for override in panel.json["fieldConfig"]["overrides"]
        if any(what["id"] == "custom.lineStyle" for what in override["properties"])
    }

    assert limits == dashed
