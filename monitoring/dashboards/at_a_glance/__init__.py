"""The dashboard "At a glance": whether to worry, for a wall screen.

It fits on 1920 by 1080 pixels without scrolling and has no controls. Its rows answer: is it up, is it right, is it
drifting, and what does it cost; the alerts that fire are beside the last one.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.alert_tables import firing_alerts
from monitoring.dashboards.at_a_glance.right import drift, model, outliers, quality, training_due
from monitoring.dashboards.at_a_glance.up import budget, cost, errors, p95, service
from monitoring.dashboards.base import new_dashboard
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import FIRING, query


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = new_dashboard(
        "At a glance",
        "isowatch-glance",
        "Do I have to worry? Is it up, is it right, is it drifting, and what does it cost. For a wall screen; every "
        "number links to the dashboard with its details.",
    )
    grid = Grid(dashboard)
    grid.add_panels(6, service(), errors(), p95(), _firing_count(), widths=(8, 5, 5, 6))
    grid.add_panels(6, model(), quality("precision"), quality("recall"), widths=(8, 8, 8))
    grid.add_panels(6, drift(), outliers(), training_due(), widths=(8, 8, 8))
    grid.add_panels(6, budget(), cost(), firing_alerts(), widths=(5, 5, 14))
    return dashboard


def _firing_count() -> stat.Panel:
    worst = f'(count({FIRING} and ALERTS{{severity="critical"}}) > 0) * 0 + 2'
    some = f'(count({FIRING} and ALERTS{{severity="warning"}}) > 0) * 0 + 1'
    states = ValueMap(
        options={
            "0": ValueMappingResult(text="No alerts", color=colours.for_wall(colours.GOOD), index=0),
            "1": ValueMappingResult(text="Warnings", color=colours.for_wall(colours.WARNING), index=1),
            "2": ValueMappingResult(text="CRITICAL", color=colours.for_wall(colours.BAD), index=2),
        }
    )
    return number(
        "Do I have to worry?",
        "The worst severity of the alerts that fire, except Watchdog and mere information: CRITICAL means now, "
        "warnings can wait for working hours. The table below has all of them.",
        units.NoUnit,
        query(f"{worst} or {some} or vector(0)", "worst alert"),
        sparkline=False,
        wall=True,
        name_size=True,
    ).mappings([states])
