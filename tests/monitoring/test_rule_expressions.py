"""Rules read only what exists, take their thresholds from one place, and make no nonsense of sums that fall."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.metrics.service import PREDICTION_SECONDS
from tests.monitoring.declared_metrics import http_metrics, series_names, service_metrics, training_metrics
from tests.monitoring.exporter_metrics import EXPORTERS
from tests.monitoring.promql import compared_with, functions_over, metric_names
from tests.monitoring.rule_files import Rule, read_alerts, read_recordings

ALERTS, RECORDINGS = read_alerts(), read_recordings()
RULES = [*ALERTS, *RECORDINGS]
RECORDED = {rule.name for rule in RECORDINGS}
THRESHOLDS = {name for name in RECORDED if name.startswith("threshold:")}

# Scores are negative and labels are -1 or 1, so these sums fall, which `rate` takes for a restart.
FALLING_SUMS = {"predictions_scores_sum", "predictions_output_sum"}

# A state is compared with 0 or 1; every other number is a threshold and has a name.
STATES = {"0", "1"}

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all series that our own code brings forth."""
    metrics = service_metrics() | http_metrics(tmp_path_factory.mktemp("no-model")) | training_metrics()
    return series_names(metrics)


@every_rule
def test_metrics_exist(rule: Rule, declared: set[str]):
    """A rule reads what the code declares, a rule records, or another program is known to have."""
    assert metric_names(rule.expression) - declared - RECORDED - EXPORTERS == set()


def test_known_names_of_others_are_used():
    """The list of other programs' series holds none that no rule reads any more."""
    assert EXPORTERS - {name for rule in RULES for name in metric_names(rule.expression)} == set()


@every_rule
@pytest.mark.parametrize("metric", sorted(FALLING_SUMS))
def test_falling_sums_have_no_rate(rule: Rule, metric: str):
    """No rate or increase is taken of a sum that can fall."""
    assert functions_over(rule.expression, metric) & {"rate", "irate", "increase", "resets"} == set()


@every_alert
def test_thresholds_have_names(alert: Rule):
    """An alert compares with a named threshold or a state, never with a bare number."""
    numbers = {right for right in compared_with(alert.expression) if re.match(r"[\d.+-]", right)}

    assert numbers <= STATES


@pytest.mark.parametrize("name", sorted(THRESHOLDS))
def test_thresholds_are_used_by_alerts(name: str):
    """A threshold that no alert compares with would promise what nobody keeps."""
    assert any(name in metric_names(alert.expression) for alert in ALERTS)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_names_say_level_metric_and_operations(name: str):
    """A recorded series is named level:metric:operations."""
    assert re.fullmatch(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", name)


@pytest.mark.parametrize("rule", RECORDINGS, ids=lambda rule: rule.name)
def test_window_in_name_is_window_in_expression(rule: Rule):
    """What a recorded name says of its window is true of every range in the expression."""
    window = re.search(r"(?:rate|increase|avg|max)(\d+[mhd])$", rule.name)

    assert set(re.findall(r"\[(\w+)\]", rule.expression)) <= ({window.group(1)} if window else set())


def test_each_burn_rate_window_has_its_factor():
    """Each window of the budget alerts has its own factor, else the alert would compare with nothing."""
    factors = {rule.labels["window"] for rule in RECORDINGS if rule.name == "threshold:burn_rate_factor:max"}
    windows = {alert.labels["window"] for alert in ALERTS if alert.name.endswith("BudgetBurn")}
    asked_for = {window for alert in ALERTS for window in re.findall(r'window="(\w+)"', alert.expression)}

    assert factors == windows == asked_for


def test_latency_objective_stands_on_a_bucket():
    """The limits in expressions are bounds of buckets that the service has, as Prometheus stores them."""
    bounds = {f'le="{bound}"' for bound in PREDICTION_SECONDS}
    asked_for = {text for rule in RULES for text in re.findall(r'le="[^"]*"', rule.expression)}

    assert asked_for == {'le="0.05"'}
    assert asked_for <= bounds


def test_service_is_found_by_its_job():
    """The jobs that rules select exist in the configuration, or are pushed (training)."""
    configuration = (Path(__file__).resolve().parents[2] / "monitoring/prometheus/prometheus.yml").read_text()
    jobs = set(re.findall(r"job_name: ([\w-]+)", configuration)) | {"training"}
    selected = {job for rule in RULES for job in re.findall(r'job="([\w-]+)"', rule.expression)}

    assert selected <= jobs
