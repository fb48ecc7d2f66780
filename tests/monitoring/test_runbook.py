"""Whoever follows an alert into the runbook finds a page of it, with queries that Prometheus answers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.monitoring.declared_metrics import http_metrics, series_names, service_metrics, training_metrics
from tests.monitoring.exporter_metrics import EXPORTERS
from tests.monitoring.promql import functions_over, metric_names
from tests.monitoring.rule_files import read_alerts, read_recordings

RUNBOOK = Path(__file__).resolve().parents[2] / "monitoring" / "runbook.md"
PAGES = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
QUERIES = [query for page in PAGES.values() for query in re.findall(r"^```promql\n(.*?)\n```$", page, re.M | re.S)]


def test_every_alert_has_its_page_and_no_other_is_there():
    """Headings and alerts are the same."""
    assert set(PAGES) == {alert.name for alert in read_alerts()}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_page_answers_four_questions(name: str):
    """A page says what the alert means, how to see it, what to do, and how it ends, in this order."""
    assert re.findall(r"^\*\*(\w+)", PAGES[name], re.MULTILINE)[:4] == ["Meaning", "Diagnosis", "Action", "Resolves"]


@pytest.mark.parametrize("name", sorted(set(PAGES) - {"Watchdog"}))
def test_page_has_a_query(name: str):
    """There is a query to look closer with, except where nothing is to be seen."""
    assert "```promql" in PAGES[name]


def test_links_lead_to_headings_and_files():
    """A link within the runbook names a heading, and any other a file."""
    text = RUNBOOK.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    headings = {f"#{name.lower()}" for name in PAGES}

    assert [target for target in targets if target.startswith("#") and target not in headings] == []
    assert [
        target for target in targets if not target.startswith("#") and not (RUNBOOK.parent / target).is_file()
    ] == []


def test_queries_are_valid(require_program: Callable[[str], Path], tmp_path: Path):
    """Prometheus's parser takes every query."""
    rules = [{"record": f"runbook:query:{number}", "expr": query} for number, query in enumerate(QUERIES)]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))

    done = subprocess.run([require_program("promtool"), "check", "rules", path], capture_output=True, timeout=60)

    assert done.returncode == 0, done.stderr.decode()


def test_queries_read_what_exists(tmp_path: Path):
    """Every metric in a query is declared, recorded or known of another program; no falling sum has a rate."""
    declared = series_names(service_metrics() | http_metrics(tmp_path) | training_metrics())
    recorded = {rule.name for rule in read_recordings()}

    assert {name for query in QUERIES for name in metric_names(query)} - declared - recorded - EXPORTERS == set()
    assert [query for query in QUERIES if functions_over(query, "predictions_scores_sum")] == []
