"""Dashboard queries are valid PromQL, read existing series, and together with rules cover all metrics."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.metrics.service import CONFIDENCES, SCORES
from tests.monitoring.declared_metrics import http_metrics, series_names, service_metrics, training_metrics
from tests.monitoring.exporter_metrics import READ_BY_DASHBOARDS_ONLY, READ_BY_RULES
from tests.monitoring.generated_dashboards import Panel, read_other_queries, read_panels
from tests.monitoring.promql import functions_over, metric_names
from tests.monitoring.rule_files import read_alerts, read_recordings

PANELS = read_panels()
QUERIES = {f"{panel} {number}": query for panel in PANELS for number, query in enumerate(panel.queries, 1)}
QUERIES |= read_other_queries()
RECORDED = {rule.name for rule in read_recordings()}

# Functions that handle counter resets.
COUNTER_FUNCTIONS = {"rate", "irate", "increase", "resets"}

# Scores are negative and labels are -1 or 1, so these sums can decrease, which `rate` interprets as a restart.
DECREASING_SUMS = {"predictions_scores_sum", "predictions_output_sum"}

# Each training run starts at 0 in its own process, so the count itself is meaningful and its rate is not.
COUNTERS_OF_ONE_RUN = {"training_runs_total", "training_trees_total"}

# The bucket bounds of the service's histograms, as written in expressions.
BUCKETS = {
    name: {*(repr(float(bound)) for bound in bounds), "+Inf"}
    for name, bounds in {
        "prediction_confidence": CONFIDENCES,
        "predictions_output": (-1, 1),
        "predictions_scores": SCORES,
    }.items()
}

every_query = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
every_panel = pytest.mark.parametrize("panel", PANELS, ids=str)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The metrics of our own code and their types."""
    return service_metrics() | http_metrics(tmp_path_factory.mktemp("no-model")) | training_metrics()


def test_prometheus_can_parse_every_query(tmp_path: Path, require_program: Callable[[str], Path]):
    """Promtool accepts each query as the expression of a recording rule."""
    rules = [{"record": f"dashboard:query:{number}", "expr": query} for number, query in enumerate(QUERIES.values())]
    path = tmp_path / "queries.yml"
    # JSON is valid YAML.
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
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
    """A query reads metrics that the code declares, a rule records, or another program is known to export."""
    assert metric_names(query) - series_names(declared) - RECORDED - READ_BY_RULES - READ_BY_DASHBOARDS_ONLY == set()


def test_known_series_of_other_programs_are_used():
    """The list of other programs' series contains only those that dashboards use."""
    assert READ_BY_DASHBOARDS_ONLY - {name for query in QUERIES.values() for name in metric_names(query)} == set()


@every_query
def test_counters_are_never_shown_raw(query: str, declared: dict[str, str]):
    """Dashboards show the rate or increase of a counter, because its value depends on the last restart."""
    counters = {name for name, kind in declared.items() if kind == "counter"} | {
        name for name in series_names(declared) if name.endswith(("_bucket", "_count", "_sum")) and name not in declared
    }
    # cAdvisor and node-exporter follow Prometheus's naming convention.
    counters |= {name for name in metric_names(query) if name.endswith("_total")}
    for counter in (counters & metric_names(query)) - COUNTERS_OF_ONE_RUN:
        if counter == "node_cpu_seconds_total" and f"count({counter}" in query:
            continue  # the number of cores
        if query == f'{counter}{{job="service"}}':
            continue  # a variable reads only label values
        assert functions_over(query, counter) & COUNTER_FUNCTIONS, counter


@every_query
@pytest.mark.parametrize("metric", sorted(DECREASING_SUMS))
def test_decreasing_sums_have_no_rate(query: str, metric: str):
    """No query uses the rate or increase of a sum that can decrease."""
    assert functions_over(query, metric) & COUNTER_FUNCTIONS == set()


@every_query
def test_bucket_bounds_exist(query: str):
    """A query uses bucket bounds of the service, in the same notation."""
    for histogram, bound in re.findall(r'(\w+)_bucket\{[^}]*\ble="([^"]+)"', query):
        assert bound in BUCKETS[histogram], histogram


def test_all_confidence_buckets_are_shown():
    """The dashboard uses every bucket bound of the confidence histogram."""
    [panel] = [panel for panel in PANELS if str(panel) == "predictions: Rows per second by confidence"]
    shown = {bound for query in panel.queries for bound in re.findall(r'le="([^"]+)"', query)}

    assert shown == BUCKETS["prediction_confidence"] - {"+Inf"}


@every_panel
def test_rates_span_four_scrapes(panel: Panel, declared: dict[str, str]):
    """Rates span 20 s for the service and training runs, and a minute for other jobs: four scrapes each."""
    for target, query in zip(panel.json["targets"], panel.queries, strict=True):
        if "$__rate_interval" in target["expr"]:
            is_ours = bool(metric_names(query) & series_names(declared))
            assert target.get("interval") == ("5s" if is_ours else None), query


@every_query
def test_literal_ranges_span_four_scrapes(query: str, declared: dict[str, str]):
    """A literal range spans at least four scrapes."""
    is_ours = bool(metric_names(query) & series_names(declared))
    for number, unit in re.findall(r"\[(\d+)([smhd])\]", query):
        assert int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] >= (20 if is_ours else 60)


def test_every_declared_metric_is_used(declared: dict[str, str]):
    """Every metric that the code declares is used by a dashboard or a rule."""
    expressions = [*QUERIES.values(), *(rule.expression for rule in (*read_alerts(), *read_recordings()))]
    used = {name for expression in expressions for name in metric_names(expression)}

    assert [name for name, kind in declared.items() if not series_names({name: kind}) & used] == []


@every_panel
def test_instance_variable_is_used(panel: Panel, declared: dict[str, str]):
    """On dashboards with an instance variable, every query about the service's own series uses it."""
    if panel.dashboard in ("service", "predictions", "drift", "quality"):
        for target in panel.json["targets"]:
            if metric_names(target["expr"].replace("$__rate_interval", "1m").replace("$__range", "15m")) & series_names(
                declared
            ):
                assert "$instance" in target["expr"], target["expr"]
