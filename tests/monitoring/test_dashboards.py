"""The dashboards are as their source makes them, can be provisioned side by side, and lead to each other."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from monitoring.dashboards.__main__ import find_differences, generate, main
from tests.monitoring.generated_dashboards import FOLDER, read_dashboards
from tests.monitoring.rule_files import read_alerts

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = read_dashboards()

# Grid units that fit on 1920 by 1080 pixels below Grafana's own bars.
ROWS_OF_A_WALL_SCREEN = 24

# What a drift does is to be seen on them.
SHOW_DRIFT = {"predictions", "drift", "quality"}

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def values_of(key: str, value: Any) -> list[Any]:
    """List what stands under a key, at any depth."""
    if isinstance(value, dict):
        here = [value[key]] if key in value else []
        return here + [found for inner in value.values() for found in values_of(key, inner)]
    return [found for inner in value for found in values_of(key, inner)] if isinstance(value, list) else []


def test_files_are_as_generated():
    """Nobody has changed a file by hand, or its source without `make dashboards`."""
    assert find_differences(FOLDER) == []


def test_generation_is_repeatable():
    """The same source gives the same bytes, with a line's end at the end."""
    first, second = generate(), generate()

    assert first == second
    assert all(text.endswith("}\n") for text in first.values())


def test_check_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A changed, a missing and a left-over file are each named; afterwards none differs."""
    assert main(["--out", str(tmp_path)]) == 0
    assert main(["--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "service.json").write_text("{}\n")
    (tmp_path / "training.json").unlink()
    (tmp_path / "of_yesterday.json").write_text("{}\n")
    capsys.readouterr()

    assert main(["--out", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [Path(line.split()[0]).name for line in said] == ["of_yesterday.json", "service.json", "training.json"]
    assert all(line.endswith("say make dashboards.") for line in said)
    assert (tmp_path / "service.json").read_text() == "{}\n"


def test_uids_and_titles_are_unique():
    """Grafana stops writing all dashboards of a folder when two share a uid or a title."""
    uids = [dashboard["uid"] for dashboard in DASHBOARDS.values()]
    titles = [dashboard["title"] for dashboard in DASHBOARDS.values()]

    assert len(set(uids)) == len(uids)
    assert len(set(titles)) == len(titles)
    assert all(re.fullmatch(r"isowatch-[a-z-]{1,31}", uid) for uid in uids)


def test_uids_never_change():
    """Bookmarks, alerts and links hold them."""
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
def test_nothing_is_left_of_an_export(dashboard: dict[str, Any]):
    """Files have no number of a database, and no input that somebody would have to fill in."""
    text = json.dumps(dashboard)

    assert "id" not in dashboard
    assert "${DS_" not in text
    assert "__inputs" not in text
    assert "__requires" not in text


@every_dashboard
def test_data_sources_are_named_by_type_and_uid(dashboard: dict[str, Any]):
    """Panels, queries, variables and annotations ask the provisioned Prometheus, whatever else is the default."""
    sources = values_of("datasource", dashboard)

    assert sources
    assert all(source == {"type": "prometheus", "uid": "prometheus"} for source in sources)


@every_dashboard
def test_time_shown(dashboard: dict[str, Any]):
    """All dashboards show the last 15 minutes, ask again every 5 seconds, and are not changed on the page."""
    assert dashboard["time"] == {"from": "now-15m", "to": "now"}
    assert dashboard["refresh"] == "5s"
    assert dashboard["editable"] is False


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_happened_is_marked(name: str):
    """Each graph shows when an alert fired, a model went live or people did something; some, when drift was certain."""
    marks = [mark["name"] for mark in DASHBOARDS[name]["annotations"]["list"] if mark["enable"]]

    everywhere = ["Alerts that fire", "Models that went live", "Events on record"]

    assert marks == everywhere + ["Drift events"] * (name in SHOW_DRIFT)


@every_dashboard
def test_marks_of_a_moment_stand_at_it(dashboard: dict[str, Any]):
    """A mark whose value is a time, in milliseconds as Grafana counts, stands there and not where it was scraped."""
    for mark in dashboard["annotations"]["list"]:
        is_time = "_timestamp_seconds" in mark["expr"]
        assert mark.get("useValueForTime", False) == is_time
        assert mark["expr"].rstrip(")").endswith("* 1000") == is_time


@every_dashboard
def test_panels_have_numbers_of_their_own(dashboard: dict[str, Any]):
    """Two panels with one number would share their links and state."""
    numbers = [panel["id"] for panel in dashboard["panels"]]

    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > 0


@every_dashboard
def test_panels_do_not_overlap(dashboard: dict[str, Any]):
    """No panel covers another or leaves the 24 columns."""
    places = [panel["gridPos"] for panel in dashboard["panels"]]

    for place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        assert place["y"] >= 0
        assert place["h"] > 0
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)


def test_wall_screen_needs_no_scrolling():
    """The dashboard for the wall fits on a screen."""
    places = [panel["gridPos"] for panel in DASHBOARDS["at_a_glance"]["panels"]]

    assert max(place["y"] + place["h"] for place in places) <= ROWS_OF_A_WALL_SCREEN


@every_dashboard
def test_dashboards_link_to_all_others(dashboard: dict[str, Any]):
    """The links at the top are in sight, and lead to every dashboard, as all bear the tag that they name."""
    [link] = dashboard["links"]

    assert (link["type"], link["keepTime"]) == ("dashboards", True)
    assert "placement" not in link
    assert all(set(link["tags"]) <= set(other["tags"]) for other in DASHBOARDS.values())


@every_dashboard
def test_links_of_panels_lead_somewhere(dashboard: dict[str, Any]):
    """A panel's link names a dashboard that there is, without a host, and keeps the time."""
    uids = {other["uid"] for other in DASHBOARDS.values()}
    for panel in dashboard["panels"]:
        for link in panel.get("links", []):
            path, _, parameters = link["url"].partition("?")
            assert path.removeprefix("/d/") in uids
            assert parameters == "${__url_time_range}"


@every_dashboard
def test_page_lists_the_dashboard(dashboard: dict[str, Any]):
    """Who reads the page about dashboards finds each, with its address."""
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")

    assert f"| {dashboard['title']} | `/d/{dashboard['uid']}` |" in page


@pytest.mark.parametrize("alert", read_alerts(), ids=lambda alert: alert.name)
def test_alerts_lead_to_dashboards(alert: Any):
    """Who is told of an alert finds the dashboard that shows it."""
    assert alert.annotations["dashboard"].removeprefix("/d/") in {board["uid"] for board in DASHBOARDS.values()}
