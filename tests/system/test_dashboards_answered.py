"""A real Prometheus with a service under load and a training run answers the dashboards' queries."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.generated_dashboards import Panel, read_panels
from tests.monitoring.rule_files import read_recordings
from tests.system.monitored_service import MonitoredService, start_monitored_service
from tests.system.running_prometheus import RunningPrometheus
from tests.system.running_service import wait_until

# Starting everything takes two trainings and a minute of load.
pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(400)]

# Short, so that every rate has its samples within seconds.
INTERVAL, RATE_INTERVAL = "1s", "10s"

# Far more than a rate and the rules based on it need.
SECONDS_SHOWN = 300

# Based on cAdvisor, which needs containers.
NEED_CADVISOR = {
    "containers: CPU by container",
    "containers: Disk reads",
    "containers: Disk writes",
    "containers: Memory by container",
    "containers: Memory relative to limit",
    "containers: Network in",
    "containers: Network out",
    "containers: Restarts within 15 minutes",
    "containers: Throttled containers",
}

# Measured by Caddy and by the probe through it, which only Compose starts.
NEED_CADDY = {
    "service: Burn rates relative to alerts",
    "service: Budgets left",
    "service: Duration at the door",
    "service: Probe through the door",
    "service: Requests per second at the door",
}

# Of what they show, some never happens to a healthy service, or excludes the rest: its figures are unknown, or known.
NEED_TROUBLE = {
    "at_a_glance: Is it right? Precision",
    "at_a_glance: Is it right? Recall",
    "service: Alerts",
    "service: Error responses per second by method and status",
    "service: Refused keys and closed connections per second",
}

# Empty as long as no alert fires, so it has its own test.
NEED_AN_ALERT = {"at_a_glance: What fires?"}
NOT_ANSWERED = NEED_CADVISOR | NEED_CADDY | NEED_TROUBLE | NEED_AN_ALERT
ANSWERED = [panel for panel in read_panels() if str(panel) not in NOT_ANSWERED]
RECORDED = {rule.name for rule in read_recordings() if not rule.name.startswith("job:door_")}


@pytest.fixture(scope="module")
def monitored(
    tmp_path_factory: pytest.TempPathFactory, require_program: Callable[[str], Path]
) -> Iterator[MonitoredService]:
    """A service with two workers, and a Prometheus with the shipped rules that scrapes every second."""
    programs = {name: require_program(name) for name in ("prometheus", "pushgateway", "node_exporter")}
    with start_monitored_service(tmp_path_factory.mktemp("monitored"), programs, INTERVAL) as monitored:
        yield monitored


@pytest.fixture
def prometheus(monitored: MonitoredService) -> RunningPrometheus:
    """The Prometheus that scrapes the service."""
    return monitored.prometheus


def has_number(series: Iterable[dict[str, Any]]) -> bool:
    """Return whether a series has a finite value."""
    values = (value for one in series for _, value in one.get("values", [one.get("value", (0, "NaN"))]))
    return any(math.isfinite(float(value)) for value in values)


def is_answered(prometheus: RunningPrometheus, query: str) -> bool:
    """Return whether a query over the last minutes returns finite values."""
    now = time.time()
    return has_number(prometheus.query_range(query, now - SECONDS_SHOWN, now, step_seconds=1))


@pytest.mark.parametrize("panel", ANSWERED, ids=str)
def test_panel_is_answered(prometheus: RunningPrometheus, panel: Panel):
    """After some load, each query of each panel returns values."""
    for query in panel.filled_queries(RATE_INTERVAL):
        wait_until(lambda query=query: is_answered(prometheus, query), query)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recording_rule_has_a_value(prometheus: RunningPrometheus, name: str):
    """Each recorded series has a value, even ratios over two weeks, which need two samples."""
    wait_until(lambda: has_number(prometheus.query(name)), name)


def test_excluded_panels_exist():
    """Renamed or removed panels must not stay in the list of exclusions."""
    assert {str(panel) for panel in read_panels()} >= NOT_ANSWERED


def test_finished_training_is_in_the_pushgateway(prometheus: RunningPrometheus):
    """Final metrics of a training run are available under its model's name after it is no longer scraped."""
    wait_until(
        lambda: (
            prometheus.values('training_runs_total{job="training", model_name="isowatch", result="success"}') == [1]
        ),
        "the last training in the Pushgateway",
    )


def test_alert_that_fires_is_listed(monitored: MonitoredService):
    """No alert fires on a healthy service; a refused bundle is listed with its severity."""
    [panel] = [panel for panel in read_panels() if str(panel) in NEED_AN_ALERT]
    [query] = panel.queries
    assert monitored.prometheus.query(query) == []

    # A process that has not loaded the second model before the broken one appears would keep the first.
    wait_until(monitored.is_swapped, "the second model", monitored.service)
    monitored.promote_broken_model()

    wait_until(lambda: monitored.prometheus.query(query), "the alert", monitored.service)
    [fires] = monitored.prometheus.query(query)
    assert (fires["metric"]["alertname"], fires["metric"]["severity"]) == ("ModelSwapRefused", "warning")
    assert 0 <= float(fires["value"][1]) < SECONDS_SHOWN


@pytest.mark.long
def test_drift_fires_an_alert_and_ends(monitored: MonitoredService):
    """Drifted rows fire one alert, after more windows confirm it; the drift ends with them."""
    firing = 'ALERTS{alertname="DriftDetected", alertstate="firing"}'
    assert monitored.prometheus.query(firing) == []

    monitored.habits.shift = 1.0
    event = 'drift_events_total{detector="cvm"} > 0'
    wait_until(lambda: monitored.prometheus.query(event), "the event", monitored.service)
    wait_until(lambda: monitored.prometheus.query(firing), "the alert", monitored.service)
    monitored.habits.shift = 0.0

    assert len(monitored.prometheus.query(firing)) == 1
    assert {series["metric"]["feature"] for series in monitored.prometheus.query(event)} <= {"mean", "sd"}
    wait_until(lambda: monitored.prometheus.values('max(drift_active{job="service"})') == [0], "the end of the drift")
