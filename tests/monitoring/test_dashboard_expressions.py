"""What dashboards ask is PromQL, is about series that there are, and leaves none out."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.metrics.service import CONFIDENCES, SCORES
from tests.monitoring.declared_metrics import http_metrics, series_names, service_metrics, training_metrics
from tests.monitoring.exporter_metrics import EXPORTERS
from tests.monitoring.generated_dashboards import Panel, read_other_queries, read_panels
from tests.monitoring.promql import functions_over, metric_names
from tests.monitoring.rule_files import read_alerts, read_recordings
from tests.monitoring.shown_series import SHOWN

PANELS = read_panels()
QUERIES = {f"{panel} {place}": query for panel in PANELS for place, query in enumerate(panel.queries, 1)}
QUERIES |= read_other_queries()
RECORDED = {rule.name for rule in read_recordings()}

# They take what a counter that begins again does for what it is.
OVER_COUNTERS = {"rate", "irate", "increase", "resets"}

# Scores are negative and labels are -1 or 1, so these sums fall, which `rate` takes for a restart.
FALLING_SUMS = {"predictions_scores_sum", "predictions_output_sum"}

# Each training counts from 0 in a process of its own: the count is the fact, and there is no rate of it.
COUNTERS_OF_ONE_RUN = {"training_runs_total", "training_trees_total"}

# The limits of the service's histograms, as they stand in expressions.
BUCKETS = {
    name: {*(repr(float(limit)) for limit in limits), "+Inf"}
    for name, limits in {
        "prediction_confidence": CONFIDENCES,
        "predictions_output": (-1, 1),
        "predictions_scores": SCORES,
    }.items()
}

every_query = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
every_panel = pytest.mark.parametrize("panel", PANELS, ids=str)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The metrics of our own code, with their types."""
    return service_metrics() | http_metrics(tmp_path_factory.mktemp("no-model")) | training_metrics()


def test_prometheus_can_parse_every_query(tmp_path: Path, require_program: Callable[[str], Path]):
    """Each question, taken for a recording rule, is one that Prometheus understands."""
    rules = [{"record": f"question:{place}", "expr": query} for place, query in enumerate(QUERIES.values())]
    path = tmp_path / "questions.yml"
    # JSON is YAML too.
    path.write_text(json.dumps({"groups": [{"name": "questions", "rules": rules}]}), encoding="utf-8")
    check = subprocess.run(
        [require_program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", path],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert check.returncode == 0, check.stdout + check.stderr
    assert f"{len(rules)} rules found" in check.stdout


@every_query
def test_metrics_exist(query: str, declared: dict[str, str]):
    """A question is about what the code declares, a rule records, or another program is known to have."""
    assert metric_names(query) - series_names(declared) - RECORDED - EXPORTERS - SHOWN == set()


def test_known_names_of_others_are_used():
    """The list of other programs' series holds none that no dashboard shows any more."""
    assert SHOWN - {name for query in QUERIES.values() for name in metric_names(query)} == set()


@every_query
def test_counters_are_never_shown_as_they_are(query: str, declared: dict[str, str]):
    """Of what only grows, the speed or the growth is shown: its height says how long ago the last start was."""
    counters = {name for name, kind in declared.items() if kind == "counter"} | {
        name for name in series_names(declared) if name.endswith(("_bucket", "_count", "_sum")) and name not in declared
    }
    # cAdvisor, node-exporter: Prometheus's convention.
    counters |= {name for name in metric_names(query) if name.endswith("_total")}
    for counter in (counters & metric_names(query)) - COUNTERS_OF_ONE_RUN:
        if counter == "node_cpu_seconds_total" and f"count({counter}" in query:
            continue  # how many cores there are
        if query == f'{counter}{{job="service"}}':
            continue  # a variable's values are labels
        assert functions_over(query, counter) & OVER_COUNTERS, counter


@every_query
@pytest.mark.parametrize("metric", sorted(FALLING_SUMS))
def test_falling_sums_have_no_rate(query: str, metric: str):
    """No rate or increase is taken of a sum that can fall."""
    assert functions_over(query, metric) & OVER_COUNTERS == set()


@every_query
def test_limits_of_buckets_exist(query: str):
    """A bucket that is asked for is one of the service's, written as the service writes it."""
    for histogram, limit in re.findall(r'(\w+)_bucket\{[^}]*\ble="([^"]+)"', query):
        assert limit in BUCKETS[histogram], histogram


def test_confidences_are_shown_without_gaps():
    """Every limit that the histogram of confidences has is one of the dashboard's."""
    [panel] = [panel for panel in PANELS if str(panel) == "predictions: Rows a second by confidence"]
    shown = {limit for query in panel.queries for limit in re.findall(r'le="([^"]+)"', query)}

    assert shown == BUCKETS["prediction_confidence"] - {"+Inf"}


@every_panel
def test_often_scraped_series_are_asked_for_often(panel: Panel, declared: dict[str, str]):
    """Rates of the service and of trainings are taken over 20 s, others over a minute: four scrapes each."""
    for target, query in zip(panel.json["targets"], panel.queries, strict=True):
        if "$__rate_interval" in target["expr"]:
            is_ours = bool(metric_names(query) & series_names(declared))
            assert target.get("interval") == ("5s" if is_ours else None), query


@every_query
def test_thirty_seconds_are_enough_for_a_rate(query: str, declared: dict[str, str]):
    """A range that is written out spans at least four scrapes."""
    often = bool(metric_names(query) & series_names(declared))
    for number, unit in re.findall(r"\[(\d+)([smhd])\]", query):
        assert int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] >= (20 if often else 60)


def test_every_declared_metric_is_looked_at(declared: dict[str, str]):
    """What the code counts is on a dashboard or in a rule: else nobody would ever see it."""
    expressions = [*QUERIES.values(), *(rule.expression for rule in (*read_alerts(), *read_recordings()))]
    looked_at = {name for expression in expressions for name in metric_names(expression)}

    assert [name for name, kind in declared.items() if not series_names({name: kind}) & looked_at] == []


@every_panel
def test_choice_of_instance_is_followed(panel: Panel, declared: dict[str, str]):
    """On dashboards with a choice, every question about the service's own series follows it."""
    if panel.dashboard in ("service", "predictions", "drift", "quality"):
        for target in panel.json["targets"]:
            if metric_names(target["expr"].replace("$__rate_interval", "1m").replace("$__range", "15m")) & series_names(
                declared
            ):
                assert "$instance" in target["expr"], target["expr"]
