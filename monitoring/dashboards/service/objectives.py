"""Dashboard "Service": service level objectives and their remaining budgets."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import ALERTS_ABOVE, bad_below, threshold
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import bar_gauge
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import query

# The long window of each budget alert; the short one only makes the alert resolve soon.
_WINDOWS = ("1h", "6h", "1d", "3d")

_ERROR_BUDGET, _SLOW_BUDGET = "threshold:prediction_error_budget:ratio", "threshold:prediction_latency_budget:ratio"

# Legend, recorded ratios and budget.
_OBJECTIVES = (
    ("errors in the service", "job:model_prediction_errors_per_request", _ERROR_BUDGET),
    ("errors at the door", "job:door_errors_per_request", _ERROR_BUDGET),
    ("slow in the service", "job:model_prediction_slow_per_request", _SLOW_BUDGET),
    ("slow at the door", "job:door_slow_per_request", _SLOW_BUDGET),
)


def add_objectives(grid: Grid) -> None:
    """Add the panels on objectives."""
    grid.add_row("Objectives")
    grid.add_panels(8, _budgets_left(), _burn_rates(), widths=(9, 15))


def _budgets_left() -> bargauge.Panel:
    answered, fast = (f"{1 - threshold(budget):.1%}" for budget in (_ERROR_BUDGET, _SLOW_BUDGET))
    return (
        bar_gauge(
            "Budgets left",
            f"Objectives: {answered} of valid predictions succeed, and {fast} take at most 50 ms in the service; at "
            "the "
            f"door, {answered} of requests succeed, and {fast} of POST requests take at most 100 ms. Remaining share "
            "of each budget, over 14 days; 0 % if it is spent.",
            units.PercentUnit,
            *(
                query(f"clamp_min(1 - {ratios}:ratio_rate14d / scalar({budget}), 0)", name)
                for name, ratios, budget in _OBJECTIVES
            ),
            decimals=0,
        )
        .max(1)
        # With an empty budget, releases should wait.
        .thresholds(bad_below(0.1, warning=0.5))
        .no_value("idle")
    )


def _burn_rates() -> timeseries.Panel:
    def relative_to_alerts(ratios: str, budget: str) -> str:
        """Return PromQL for the window that is closest to its alert."""
        windows = (
            f"label_replace({ratios}:ratio_rate{window} / scalar({budget}) "
            f'/ scalar(threshold:burn_rate_factor:max{{window="{window}"}}), "window", "{window}", "", "")'
            for window in _WINDOWS
        )
        return f"max({' or '.join(windows)})"

    alerts = (
        "AvailabilityBudgetBurn",
        "LatencyBudgetBurn",
        "DoorAvailabilityBudgetBurn",
        "DoorLatencyBudgetBurn",
    )
    return graph(
        "Burn rates relative to alerts",
        "How fast each budget is consumed, relative to the rate at which an alert fires: the largest of the windows of "
        "1 h and 6 h, which are critical, and 1 d and 3 d, which are warnings. "
        + " ".join(f"Alert {alert}: monitoring/runbook.md#{alert.lower()}" for alert in alerts),
        units.PercentUnit,
        *(query(relative_to_alerts(ratios, budget), name) for name, ratios, budget in _OBJECTIVES),
        query("vector(1)", ALERTS_ABOVE),
        decimals=0,
        legend_right=True,
    )
