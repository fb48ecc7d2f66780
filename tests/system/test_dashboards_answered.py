"""A real Prometheus, with a service under load and a training, answers what the dashboards ask."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.generated_dashboards import Panel, read_panels
from tests.monitoring.rule_files import read_recordings
from tests.system.running_prometheus import RunningPrometheus
from tests.system.running_service import wait_until
from tests.system.watched_service import WatchedService, start_watched_service

pytestmark = pytest.mark.system

# So that every rate has its samples within seconds.
INTERVAL, RATE_INTERVAL = "1s", "10s"

# Far more than a rate and the rules after it need.
SECONDS_SHOWN = 300

# They ask cAdvisor, which needs containers to tell of.
NEED_CADVISOR = {
    "containers: CPU by container",
    "containers: Disk reads",
    "containers: Disk writes",
    "containers: Memory by container",
    "containers: Memory relative to limit",
    "containers: Network in",
    "containers: Network out",
    "containers: Restarts within 15 minutes",
}

# It is empty as long as all is well, so it has a test of its own.
NEED_AN_ALERT = {"at_a_glance: Alert list"}
NOT_ANSWERED = NEED_CADVISOR | NEED_AN_ALERT
ANSWERED = [panel for panel in read_panels() if str(panel) not in NOT_ANSWERED]
RECORDED = {rule.name for rule in read_recordings()}


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, require_program: Callable[[str], Path]
) -> Iterator[WatchedService]:
    """A service with two workers, and a Prometheus with the shipped rules that looks every second."""
    programs = {name: require_program(name) for name in ("prometheus", "pushgateway", "node_exporter")}
    with start_watched_service(tmp_path_factory.mktemp("watched"), programs, INTERVAL) as watched:
        yield watched


@pytest.fixture
def prometheus(watched: WatchedService) -> RunningPrometheus:
    """The Prometheus that watches."""
    return watched.prometheus


def has_number(series: Iterable[dict[str, Any]]) -> bool:
    """Tell whether a series has a value that can be drawn."""
    values = (value for one in series for _, value in one.get("values", [one.get("value", (0, "NaN"))]))
    return any(math.isfinite(float(value)) for value in values)


def is_answered(prometheus: RunningPrometheus, query: str) -> bool:
    """Tell whether a question about the last minutes has an answer with numbers."""
    now = time.time()
    return has_number(prometheus.query_range(query, now - SECONDS_SHOWN, now, step_seconds=1))


@pytest.mark.parametrize("panel", ANSWERED, ids=str)
def test_panel_is_answered(prometheus: RunningPrometheus, panel: Panel):
    """After a short while of load each question of each panel has an answer."""
    for query in panel.filled_queries(RATE_INTERVAL):
        wait_until(lambda query=query: is_answered(prometheus, query), query)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recording_rule_has_a_value(prometheus: RunningPrometheus, name: str):
    """Each recorded series is there: also the shares of two weeks, which two samples give."""
    wait_until(lambda: has_number(prometheus.query(name)), name)


def test_exceptions_are_panels():
    """A panel that was renamed or has gone leaves no exception behind."""
    assert {str(panel) for panel in read_panels()} >= NOT_ANSWERED


def test_training_that_ended_is_told_of_by_the_pushgateway(prometheus: RunningPrometheus):
    """What a training pushed at its end is there under the name of its model, for when it is no longer scraped."""
    wait_until(
        lambda: (
            prometheus.values('training_runs_total{job="training", model_name="isowatch", result="success"}') == [1]
        ),
        "the last training in the Pushgateway",
    )


def test_alert_that_fires_is_listed(watched: WatchedService):
    """Nothing fires on a service that is well; a model that is refused is on the list, with its severity."""
    [panel] = [panel for panel in read_panels() if str(panel) in NEED_AN_ALERT]
    [query] = panel.queries
    assert watched.prometheus.query(query) == []

    # A process that has not seen the second model when a broken one comes goes on with the first.
    wait_until(watched.is_swapped, "the second model", watched.service)
    watched.promote_broken_model()

    wait_until(lambda: watched.prometheus.query(query), "the alert", watched.service)
    [fires] = watched.prometheus.query(query)
    assert (fires["metric"]["alertname"], fires["metric"]["severity"]) == ("ModelSwapRefused", "warning")
    assert 0 <= float(fires["value"][1]) < SECONDS_SHOWN


def test_drift_is_told_of_and_ends(watched: WatchedService):
    """Rows that move away from the training fire one alert, once windows confirm it; the drift ends when they do."""
    firing = 'ALERTS{alertname="DriftDetected", alertstate="firing"}'
    assert watched.prometheus.query(firing) == []

    watched.habits.shift = 1.0
    event = 'drift_events_total{detector="cvm"} > 0'
    wait_until(lambda: watched.prometheus.query(event), "the event", watched.service)
    wait_until(lambda: watched.prometheus.query(firing), "the alert", watched.service)
    watched.habits.shift = 0.0

    assert len(watched.prometheus.query(firing)) == 1
    assert {series["metric"]["feature"] for series in watched.prometheus.query(event)} <= {"mean", "sd"}
    wait_until(lambda: watched.prometheus.values('max(drift_active{job="service"})') == [0], "the end of the drift")
