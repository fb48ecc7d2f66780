"""Of the dashboard "Service": the service level objectives and what is left of their budgets."""

from __future__ import annotations

from grafana_foundation_sdk.builders import gauge, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import ALERTS_ABOVE, bad_below, threshold
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import dial
from monitoring.dashboards.queries import query

# Each alert on a budget looks at one long window; its short one only says that it still goes on.
_WINDOWS = ("1h", "6h", "1d", "3d")

_ERRORS, _SLOW = "job:model_prediction_errors_per_request", "job:model_prediction_slow_per_request"
_ERROR_BUDGET, _SLOW_BUDGET = "threshold:prediction_error_budget:ratio", "threshold:prediction_latency_budget:ratio"


def add_objectives(grid: Grid) -> None:
    """Add the panels."""
    answered, fast = (f"{1 - threshold(budget):.1%}" for budget in (_ERROR_BUDGET, _SLOW_BUDGET))
    grid.heading("Objectives")
    grid.line(
        8,
        _left("Error budget left", f"{answered} of well-asked predictions are answered", _ERRORS, _ERROR_BUDGET),
        _burning("Error budget burning", "AvailabilityBudgetBurn", _ERRORS, _ERROR_BUDGET),
        _left("Latency budget left", f"{fast} of predictions take at most 50 ms", _SLOW, _SLOW_BUDGET),
        _burning("Latency budget burning", "LatencyBudgetBurn", _SLOW, _SLOW_BUDGET),
        widths=(4, 8, 4, 8),
    )


def _left(title: str, objective: str, ratios: str, budget: str) -> gauge.Panel:
    """How much may still go wrong."""
    return dial(
        title,
        f"The objective: {objective}. Of what may go wrong in 14 days, this much has not. Below 0, more went wrong.",
        units.PercentUnit,
        query(f"1 - {ratios}:ratio_rate14d / scalar({budget})", "left"),
        # Half is plenty; with nothing left, changes should wait.
        thresholds=bad_below(0.1, warning=0.5),
    )


def _burning(title: str, alert: str, ratios: str, budget: str) -> timeseries.Panel:
    """How close the alerts on the budget are."""

    def share_of_alert(window: str) -> str:
        factor = f'threshold:burn_rate_factor:max{{window="{window}"}}'
        return f"{ratios}:ratio_rate{window} / scalar({budget}) / scalar({factor})"

    return graph(
        title,
        "How fast the budget burns over each window, as a share of the speed at which an alert fires: 1 h and 6 h wake "
        f"somebody up, 1 d and 3 d can wait. Alert {alert}: monitoring/runbook.md#{alert.lower()}",
        units.PercentUnit,
        *(query(share_of_alert(window), f"over {window}") for window in _WINDOWS),
        query("vector(1)", ALERTS_ABOVE),
        decimals=0,
    )
