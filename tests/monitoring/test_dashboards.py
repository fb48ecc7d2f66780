"""The dashboards match their source, can be provisioned together, and link to each other."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from monitoring.dashboards.__main__ import find_differences, main
from monitoring.dashboards.catalogue import generate
from tests.monitoring.generated_dashboards import FOLDER, read_dashboards
from tests.monitoring.rule_files import read_alerts

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = read_dashboards()

# Grid units that fit on 1920 by 1080 pixels below Grafana's own bars.
WALL_SCREEN_HEIGHT = 24

# Dashboards that show the effects of drift.
MARK_DRIFT = {"predictions", "drift", "quality"}

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def values_of(key: str, value: Any) -> list[Any]:
    """Return all values of a key, at any depth."""
    if isinstance(value, dict):
        here = [value[key]] if key in value else []
        return here + [found for inner in value.values() for found in values_of(key, inner)]
    return [found for inner in value for found in values_of(key, inner)] if isinstance(value, list) else []


def test_files_are_as_generated():
    """No file was edited by hand, and no source without running `make dashboards`."""
    assert find_differences(FOLDER) == []


def test_generation_is_repeatable():
    """The same source always generates the same bytes, with a trailing newline."""
    first, second = generate(), generate()

    assert first == second
    assert all(text.endswith("}\n") for text in first.values())


def test_check_reports_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """``--check`` reports changed, missing and surplus files, and changes nothing."""
    assert main(["--out", str(tmp_path)]) == 0
    assert main(["--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "service.json").write_text("{}\n")
    (tmp_path / "training.json").unlink()
    (tmp_path / "obsolete.json").write_text("{}\n")
    capsys.readouterr()

    assert main(["--out", str(tmp_path), "--check"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [Path(line.split()[0]).name for line in lines] == ["obsolete.json", "service.json", "training.json"]
    assert all(line.endswith("run make dashboards.") for line in lines)
    assert (tmp_path / "service.json").read_text() == "{}\n"


def test_uids_and_titles_are_unique():
    """Grafana stops provisioning a whole folder if two dashboards have the same uid or title."""
    uids = [dashboard["uid"] for dashboard in DASHBOARDS.values()]
    titles = [dashboard["title"] for dashboard in DASHBOARDS.values()]

    assert len(set(uids)) == len(uids)
    assert len(set(titles)) == len(titles)
    assert all(re.fullmatch(r"isowatch-[a-z-]{1,31}", uid) for uid in uids)


def test_uids_never_change():
    """Bookmarks, alerts and links contain them."""
    assert {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()} == {
        "at_a_glance": "isowatch-glance",
        "containers": "isowatch-containers",
        "drift": "isowatch-drift",
        "predictions": "isowatch-predictions",
        "quality": "isowatch-quality",
        "service": "isowatch-service",
        "training": "isowatch-training",
    }


@every_dashboard
def test_no_leftovers_of_an_export(dashboard: dict[str, Any]):
    """Files contain no database id and no inputs to fill in at import."""
    text = json.dumps(dashboard)

    assert "id" not in dashboard
    assert "${DS_" not in text
    assert "__inputs" not in text
    assert "__requires" not in text


@every_dashboard
def test_data_sources_have_type_and_uid(dashboard: dict[str, Any]):
    """Panels, queries, variables and annotations use the provisioned Prometheus, whatever the default is."""
    sources = values_of("datasource", dashboard)

    assert sources
    assert all(source == {"type": "prometheus", "uid": "prometheus"} for source in sources)


@every_dashboard
def test_time_range_and_refresh(dashboard: dict[str, Any]):
    """All dashboards show the last 15 minutes, refresh every 5 seconds, and are read-only."""
    assert dashboard["time"] == {"from": "now-15m", "to": "now"}
    assert dashboard["refresh"] == "5s"
    assert dashboard["editable"] is False


@pytest.mark.parametrize("name", DASHBOARDS)
def test_annotations_mark_events(name: str):
    """All dashboards mark alerts, live model changes and the audit trail; some also mark drift events."""
    marks = [mark["name"] for mark in DASHBOARDS[name]["annotations"]["list"] if mark["enable"]]

    everywhere = ["Firing alerts", "Live model changes", "Audit trail"]

    assert marks == everywhere + ["Drift events"] * (name in MARK_DRIFT)


@every_dashboard
def test_annotations_of_timestamps_use_the_value_as_time(dashboard: dict[str, Any]):
    """An annotation whose value is a timestamp, in milliseconds, is placed at that time and not at the scrape."""
    for mark in dashboard["annotations"]["list"]:
        is_time = "_timestamp_seconds" in mark["expr"]
        assert mark.get("useValueForTime", False) == is_time
        assert mark["expr"].rstrip(")").endswith("* 1000") == is_time


@every_dashboard
def test_panel_ids_are_unique(dashboard: dict[str, Any]):
    """Two panels with the same id would share links and state."""
    ids = [panel["id"] for panel in dashboard["panels"]]

    assert len(set(ids)) == len(ids)
    assert min(ids) > 0


@every_dashboard
def test_panels_do_not_overlap(dashboard: dict[str, Any]):
    """No panel overlaps another or exceeds the 24 columns."""
    positions = [panel["gridPos"] for panel in dashboard["panels"]]

    for position in positions:
        assert 0 <= position["x"] < position["x"] + position["w"] <= 24
        assert position["y"] >= 0
        assert position["h"] > 0
    for one, other in combinations(positions, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)


def test_wall_screen_needs_no_scrolling():
    """The dashboard for a wall screen fits on one screen."""
    positions = [panel["gridPos"] for panel in DASHBOARDS["at_a_glance"]["panels"]]

    assert max(position["y"] + position["h"] for position in positions) <= WALL_SCREEN_HEIGHT


def test_service_has_twenty_panels():
    """More could not be read in an incident; what is not about the service has its own dashboard."""
    panels = [panel for panel in DASHBOARDS["service"]["panels"] if panel["type"] != "row"]

    assert len(panels) <= 20


@pytest.mark.parametrize("name", ["at_a_glance", "service"])
def test_listed_alerts_link_to_the_runbook(name: str):
    """The address in a table of alerts is an anchor of the runbook's page, and Caddy serves that beside Grafana."""
    [url] = {url for url in values_of("url", DASHBOARDS[name]["panels"]) if "runbook" in url}
    path, _, anchor = url.partition("#")
    page = (ROOT / "monitoring" / "caddy" / "runbook" / "index.html").read_text(encoding="utf-8")

    assert (path, anchor) == ("/runbook/", "${__value.text}")
    assert {alert.name for alert in read_alerts()} <= set(re.findall(r'id="(\w+)"', page))
    grafana = (ROOT / "monitoring" / "caddy" / "doors" / "ports.caddy").read_text(encoding="utf-8").split(":3000")[1]
    assert "import runbook" in grafana


@every_dashboard
def test_dashboards_link_to_all_others(dashboard: dict[str, Any]):
    """The links at the top are visible and lead to every dashboard, because all have the tag of the link."""
    [link] = dashboard["links"]

    assert (link["type"], link["keepTime"]) == ("dashboards", True)
    assert "placement" not in link
    assert all(set(link["tags"]) <= set(other["tags"]) for other in DASHBOARDS.values())


@every_dashboard
def test_links_of_panels_are_valid(dashboard: dict[str, Any]):
    """The link of a panel leads to an existing dashboard, has no host, and keeps the time range."""
    uids = {other["uid"] for other in DASHBOARDS.values()}
    for panel in dashboard["panels"]:
        for link in panel.get("links", []):
            path, _, parameters = link["url"].partition("?")
            assert path.removeprefix("/d/") in uids
            assert parameters == "${__url_time_range}"


@every_dashboard
def test_documentation_lists_the_dashboard(dashboard: dict[str, Any]):
    """docs/dashboards.md lists each dashboard with its path."""
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")

    assert f"| {dashboard['title']} | `/d/{dashboard['uid']}` |" in page


@pytest.mark.parametrize("alert", read_alerts(), ids=lambda alert: alert.name)
def test_alerts_lead_to_dashboards(alert: Any):
    """Every alert links to an existing dashboard."""
    assert alert.annotations["dashboard"].rpartition("/d/")[2] in {board["uid"] for board in DASHBOARDS.values()}
