"""The runbook has an entry for every alert, with valid queries."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.runbook_page import PAGE, page_of
from tests.monitoring.declared_metrics import http_metrics, series_names, service_metrics, training_metrics
from tests.monitoring.exporter_metrics import READ_BY_RULES
from tests.monitoring.promql import functions_over, metric_names
from tests.monitoring.rule_files import read_alerts, read_recordings

RUNBOOK = Path(__file__).resolve().parents[2] / "monitoring" / "runbook.md"
ENTRIES = dict(
    re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)
QUERIES = [query for entry in ENTRIES.values() for query in re.findall(r"^```promql\n(.*?)\n```$", entry, re.M | re.S)]


def test_every_alert_has_an_entry():
    """The headings are exactly the alerts."""
    assert set(ENTRIES) == {alert.name for alert in read_alerts()}


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_entry_has_four_sections(name: str):
    """An entry describes meaning, diagnosis, action and resolution, in this order."""
    assert re.findall(r"^\*\*(\w+)", ENTRIES[name], re.MULTILINE)[:4] == ["Meaning", "Diagnosis", "Action", "Resolves"]


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - {"Watchdog"}))
def test_entry_has_a_query(name: str):
    """Every entry except Watchdog's has a query for diagnosis."""
    assert "```promql" in ENTRIES[name]


def test_links_are_valid():
    """Links lead to headings of the runbook or to existing files."""
    text = RUNBOOK.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    headings = {f"#{name.lower()}" for name in ENTRIES}

    assert [target for target in targets if target.startswith("#") and target not in headings] == []
    assert [
        target for target in targets if not target.startswith("#") and not (RUNBOOK.parent / target).is_file()
    ] == []


def test_page_is_current():
    """The page that messages link to is generated from the runbook, and has the id of every alert."""
    page = PAGE.read_text(encoding="utf-8")

    assert page == page_of(RUNBOOK.read_text(encoding="utf-8")), "run make runbook"
    assert set(re.findall(r'<h2 id="(\w+)">', page)) == {name.lower() for name in ENTRIES}
    assert {link for link in re.findall(r'href="([^"]*)"', page) if not link.startswith("#")} == set()


def test_queries_are_valid(require_program: Callable[[str], Path], tmp_path: Path):
    """Promtool accepts every query."""
    rules = [{"record": f"runbook:query:{number}", "expr": query} for number, query in enumerate(QUERIES)]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))

    done = subprocess.run([require_program("promtool"), "check", "rules", path], capture_output=True, timeout=60)

    assert done.returncode == 0, done.stderr.decode()


def test_queries_read_what_exists(tmp_path: Path):
    """Queries read declared, recorded or known series, and never use the rate of a decreasing sum."""
    declared = series_names(service_metrics() | http_metrics(tmp_path) | training_metrics())
    recorded = {rule.name for rule in read_recordings()}

    assert {name for query in QUERIES for name in metric_names(query)} - declared - recorded - READ_BY_RULES == set()
    assert [query for query in QUERIES if functions_over(query, "predictions_scores_sum")] == []
