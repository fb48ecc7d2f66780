"""Dashboard "Service": what callers get at the door, measured by Caddy and by the probe through it."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import quantile, query, rate

# As in door_objective_recordings.yml.
_DOOR = 'handler="subroute", server=~"service|site"'
_SECONDS = "caddy_http_request_duration_seconds"


def add_door(grid: Grid) -> None:
    """Add the panels on the door."""
    grid.add_row("At the door (Caddy)")
    grid.add_panels(8, _by_status(), _durations(), _probe())


def _by_status() -> timeseries.Panel:
    return graph(
        "Requests per second at the door",
        "Requests through Caddy by status, the ten most frequent. 502 and 504 are Caddy's own: it reaches no "
        "replica, or none answers in time.",
        units.RequestsPerSecond,
        query(f"topk(10, {rate(f'{_SECONDS}_count', _DOOR, by='code')} > 0)", "{{code}}"),
        decimals=1,
    )


def _durations() -> timeseries.Panel:
    posts = f'{_DOOR}, method="POST"'
    return graph(
        "Duration at the door",
        "Duration of POST requests, most of which are predictions, from their head to the end of the response, "
        "including the wait for a worker. At most 1 % should take longer than 100 ms.",
        units.Seconds,
        *(query(quantile(q, _SECONDS, posts), name) for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))),
        soft_max=0.1,
    )


def _probe() -> timeseries.Panel:
    return graph(
        "Probe through the door",
        "Whether the probe got in, and how long it took: a request of /readyz through Caddy every 15 seconds. "
        "Alert DoorDown: monitoring/runbook.md#doordown",
        units.NoUnit,
        query('min(probe_success{job="door"})', "succeeds"),
        query('max(probe_duration_seconds{job="door"})', "seconds"),
        decimals=2,
        soft_max=1,
    )
