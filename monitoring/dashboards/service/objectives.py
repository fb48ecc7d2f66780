"""Dashboard "Service": service level objectives and their remaining budgets."""

from __future__ import annotations

from grafana_foundation_sdk.builders import gauge, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import ALERTS_ABOVE, bad_below, threshold
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import ratio_gauge
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import query

# The long window of each budget alert; the short one only makes the alert resolve soon.
_WINDOWS = ("1h", "6h", "1d", "3d")

_ERRORS, _SLOW = "job:model_prediction_errors_per_request", "job:model_prediction_slow_per_request"
_ERROR_BUDGET, _SLOW_BUDGET = "threshold:prediction_error_budget:ratio", "threshold:prediction_latency_budget:ratio"


def add_objectives(grid: Grid) -> None:
    """Add the panels on objectives."""
    answered, fast = (f"{1 - threshold(budget):.1%}" for budget in (_ERROR_BUDGET, _SLOW_BUDGET))
    grid.add_row("Objectives")
    grid.add_panels(
        8,
        _budget_left("Error budget left", f"{answered} of valid predictions succeed", _ERRORS, _ERROR_BUDGET),
        _burn_rate("Error budget burn rate", "AvailabilityBudgetBurn", _ERRORS, _ERROR_BUDGET),
        _budget_left("Latency budget left", f"{fast} of predictions take at most 50 ms", _SLOW, _SLOW_BUDGET),
        _burn_rate("Latency budget burn rate", "LatencyBudgetBurn", _SLOW, _SLOW_BUDGET),
        widths=(4, 8, 4, 8),
    )


def _budget_left(title: str, objective: str, ratios: str, budget: str) -> gauge.Panel:
    return ratio_gauge(
        title,
        f"Objective: {objective}. Remaining share of the budget, over 14 days; negative if it is exceeded.",
        units.PercentUnit,
        query(f"1 - {ratios}:ratio_rate14d / scalar({budget})", "left"),
        # With an empty budget, releases should wait.
        thresholds=bad_below(0.1, warning=0.5),
    )


def _burn_rate(title: str, alert: str, ratios: str, budget: str) -> timeseries.Panel:
    def relative_to_alert(window: str) -> str:
        factor = f'threshold:burn_rate_factor:max{{window="{window}"}}'
        return f"{ratios}:ratio_rate{window} / scalar({budget}) / scalar({factor})"

    return graph(
        title,
        "Burn rate over each window, relative to the rate at which an alert fires: critical over 1 h and 6 h, warning "
        f"over 1 d and 3 d. Alert {alert}: monitoring/runbook.md#{alert.lower()}",
        units.PercentUnit,
        *(query(relative_to_alert(window), f"over {window}") for window in _WINDOWS),
        query("vector(1)", ALERTS_ABOVE),
        decimals=0,
    )
