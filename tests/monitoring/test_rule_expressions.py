"""Rules read existing series, use named thresholds, and never use the rate of a decreasing sum."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.metrics.service import PREDICTION_SECONDS
from tests.monitoring.declared_metrics import http_metrics, series_names, service_metrics, training_metrics
from tests.monitoring.exporter_metrics import READ_BY_RULES
from tests.monitoring.promql import compared_with, functions_over, metric_names
from tests.monitoring.rule_files import Rule, read_alerts, read_recordings

ALERTS, RECORDINGS = read_alerts(), read_recordings()
RULES = [*ALERTS, *RECORDINGS]
RECORDED = {rule.name for rule in RECORDINGS}
THRESHOLDS = {name for name in RECORDED if name.startswith("threshold:")}

# Scores are negative and labels are -1 or 1, so these sums can decrease, which `rate` interprets as a restart.
DECREASING_SUMS = {"predictions_scores_sum", "predictions_output_sum"}

# States are compared with 0 or 1; every other number is a threshold and needs a name.
STATES = {"0", "1"}

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all series that our own code exports."""
    metrics = service_metrics() | http_metrics(tmp_path_factory.mktemp("no-model")) | training_metrics()
    return series_names(metrics)


@every_rule
def test_metrics_exist(rule: Rule, declared: set[str]):
    """A rule reads series that the code declares, a rule records, or another program is known to export."""
    assert metric_names(rule.expression) - declared - RECORDED - READ_BY_RULES == set()


def test_known_series_of_other_programs_are_used():
    """The list of other programs' series contains only those that rules use."""
    assert READ_BY_RULES - {name for rule in RULES for name in metric_names(rule.expression)} == set()


@every_rule
@pytest.mark.parametrize("metric", sorted(DECREASING_SUMS))
def test_decreasing_sums_have_no_rate(rule: Rule, metric: str):
    """No rule uses the rate or increase of a sum that can decrease."""
    assert functions_over(rule.expression, metric) & {"rate", "irate", "increase", "resets"} == set()


@every_alert
def test_thresholds_have_names(alert: Rule):
    """An alert compares with a named threshold or a state, never with a literal number."""
    numbers = {right for right in compared_with(alert.expression) if re.match(r"[\d.+-]", right)}

    assert numbers <= STATES


@pytest.mark.parametrize("name", sorted(THRESHOLDS))
def test_thresholds_are_used_by_alerts(name: str):
    """Every threshold is used by an alert."""
    assert any(name in metric_names(alert.expression) for alert in ALERTS)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_names_follow_the_convention(name: str):
    """A recorded series is named level:metric:operations."""
    assert re.fullmatch(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", name)


@pytest.mark.parametrize("rule", RECORDINGS, ids=lambda rule: rule.name)
def test_window_in_name_is_window_in_expression(rule: Rule):
    """Every range in an expression is the one in the name of the recorded series."""
    window = re.search(r"(?:rate|increase|avg|max)(\d+[mhd])$", rule.name)

    assert set(re.findall(r"\[(\w+)\]", rule.expression)) <= ({window.group(1)} if window else set())


def test_each_burn_rate_window_has_its_factor():
    """Each window of the budget alerts has a factor; without it, the alert could never fire."""
    factors = {rule.labels["window"] for rule in RECORDINGS if rule.name == "threshold:burn_rate_factor:max"}
    windows = {alert.labels["window"] for alert in ALERTS if alert.name.endswith("BudgetBurn")}
    used = {window for alert in ALERTS for window in re.findall(r'window="(\w+)"', alert.expression)}

    assert factors == windows == used


def test_latency_objective_is_a_bucket_bound():
    """The bounds in expressions are bucket bounds of the service, in Prometheus's notation."""
    bounds = {f'le="{bound}"' for bound in PREDICTION_SECONDS}
    used = {
        (metric, bound)
        for rule in RULES
        for metric, bound in re.findall(r'(\w+)_bucket\{[^}]*(le="[^"]*")', rule.expression)
    }

    # Of Caddy's bounds, test_exporter_metrics.py asks Caddy.
    assert used == {
        ("model_prediction_duration_seconds", 'le="0.05"'),
        ("caddy_http_request_duration_seconds", 'le="0.1"'),
    }
    assert 'le="0.05"' in bounds


def test_selected_jobs_exist():
    """The jobs that rules select are in the scrape configuration, or pushed (training)."""
    configuration = (Path(__file__).resolve().parents[2] / "monitoring/prometheus/prometheus.yml").read_text()
    jobs = set(re.findall(r"job_name: ([\w-]+)", configuration)) | {"training"}
    selected = {job for rule in RULES for job in re.findall(r'job="([\w-]+)"', rule.expression)}

    assert selected <= jobs
