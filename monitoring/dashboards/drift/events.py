"""Of the dashboard "Drift": whether something drifts, and what alarms became of."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import names, number
from monitoring.dashboards.queries import INSTANCE, named_or, query

_DRIFTING = f"max by (detector) (drift_active{{{INSTANCE}}} == 1)"

# In the order in which they are asked for: a drift, else a full window, else detectors that wait for rows.
_QUIET, _WAITING, _NOT_WATCHED = "no drift", "not enough rows yet", "not watched"


def add_events(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Events")
    grid.line(5, _state(), _total_events(), _total_alarms(), _fill(), widths=(9, 5, 5, 5))
    grid.line(8, _events(), _alarms())


def _state() -> stat.Panel:
    """Whether something drifts."""
    full = f'label_replace(max(drift_window_fill_ratio{{{INSTANCE}}}) == 1, "detector", "{_QUIET}", "", "")'
    watched = f'label_replace(max(drift_threshold{{{INSTANCE}}}) > 0, "detector", "{_WAITING}", "", "")'
    panel = names(
        "Drifting now",
        "The detectors that have confirmed a drift which is not over. Not watched: the model was trained without "
        "detectors, or the recorder does not run. Alert DriftDetected: monitoring/runbook.md#driftdetected",
        named_or(f"({_DRIFTING}) or on () {full} or on () {watched}", "detector", _NOT_WATCHED),
        coloured={_QUIET: colours.GOOD, _WAITING: colours.NEUTRAL, _NOT_WATCHED: colours.NEUTRAL},
    )
    for detector in ("cvm", "mmd", "score", "outlier_rate"):
        panel = panel.override_by_name(detector, [colours.fixed(colours.BAD)])
    return panel


def _total_events() -> stat.Panel:
    """How often a drift was confirmed."""
    return number(
        "Events",
        "Drifts that were confirmed in the time shown, all detectors together. Each lasts until windows are quiet "
        "again, and counts once.",
        units.Short,
        query(f"sum(increase(drift_events_total{{{INSTANCE}}}[$__range]))", "events", often=True),
        decimals=0,
        sparkline=False,
    )


def _total_alarms() -> stat.Panel:
    """How often one was suspected."""
    return number(
        "First alarms",
        "First alarms in the time shown, all detectors together. Some are expected while nothing changes, one in as "
        "many rows as the training was told with --drift-ert; nobody is told of them.",
        units.Short,
        query(f"sum(increase(drift_alarms_total{{{INSTANCE}}}[$__range]))", "alarms", often=True),
        decimals=0,
        sparkline=False,
    )


def _fill() -> stat.Panel:
    """Whether there were rows enough."""
    return number(
        "Window fill",
        "The part of the detectors' window that is filled, of the replica with least. They compare nothing before it "
        "is full; after a restart they go on with the rows from before.",
        units.PercentUnit,
        query(f"min(drift_window_fill_ratio{{{INSTANCE}}})", "filled", often=True),
        decimals=0,
    ).max(1)


def _events() -> timeseries.Panel:
    """When drifts were confirmed."""
    return graph(
        "Events within 5 minutes",
        "Drifts that were confirmed, by detector; cvm names the feature that was farthest. "
        "Alert DriftDetected: monitoring/runbook.md#driftdetected "
        "Alert PredictionScoreShift: monitoring/runbook.md#predictionscoreshift "
        "Alert OutlierRateShift: monitoring/runbook.md#outlierrateshift",
        units.Short,
        query(_within_5_minutes("drift_events_total"), "{{detector}} {{feature}}", often=True),
        decimals=0,
        at_least=2,
    )


def _alarms() -> timeseries.Panel:
    """When drifts were suspected."""
    return graph(
        "First alarms within 5 minutes",
        "First alarms by detector; cvm names the feature that was farthest. The windows after an alarm confirm it or "
        "do not.",
        units.Short,
        query(_within_5_minutes("drift_alarms_total"), "{{detector}} {{feature}}", often=True),
        decimals=0,
        at_least=2,
    )


def _within_5_minutes(counter: str) -> str:
    """Say how much a counter has grown; an increase is an estimate a little above a whole number."""
    return f"round(sum by (detector, feature) (increase({counter}{{{INSTANCE}}}[5m])))"
