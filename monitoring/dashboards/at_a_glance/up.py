"""Dashboard "At a glance": is it up, is the budget intact, and what does it cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.common import VizTextDisplayOptions
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DashboardRangeMapOptions, RangeMap, ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import bad_above, bad_below, threshold
from monitoring.dashboards.base import details_link
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.queries import query

# Of the budget; below it, releases should wait.
_BUDGET_SCARCE, _BUDGET_HALF = 0.1, 0.5

# Pixels: the longest state, DOOR SHUT, then fits into one line.
_STATE_SIZE = 72


def service() -> stat.Panel:
    """Return whether callers get answers."""
    door_shut = '((max(probe_success{job="door"}) == 0) and (max(up{job="service"}) == 1)) - 1'
    replicas = 'clamp_max(sum(up{job="service"}) / max(threshold:service_replicas:min), 1)'
    panel = number(
        "Is it up?",
        "UP if callers get in through Caddy and all replicas of the last hour answer Prometheus, PARTLY if only some "
        "do, DOWN if none does, and DOOR SHUT if replicas answer but no caller reaches them. "
        "Alert DoorDown: monitoring/runbook.md#doordown "
        "Alert ServiceDown: monitoring/runbook.md#servicedown "
        "Alert ReplicasMissing: monitoring/runbook.md#replicasmissing",
        units.NoUnit,
        query(f"{door_shut} or {replicas} or vector(0)", "share of replicas", fast_scrape=True),
        sparkline=False,
        wall=True,
    )
    some = DashboardRangeMapOptions(
        from_val=0.0001,
        to=0.9999,
        result=ValueMappingResult(text="PARTLY", color=colours.for_wall(colours.WARNING), index=3),
    )
    states = ValueMap(
        options={
            "-1": ValueMappingResult(text="DOOR SHUT", color=colours.for_wall(colours.BAD), index=0),
            "0": ValueMappingResult(text="DOWN", color=colours.for_wall(colours.BAD), index=1),
            "1": ValueMappingResult(text="UP", color=colours.for_wall(colours.GOOD), index=2),
        }
    )
    panel = panel.text(VizTextDisplayOptions().value_size(_STATE_SIZE))
    return panel.mappings([states, RangeMap(options=some)]).links([details_link("isowatch-service", "Service")])


def errors() -> stat.Panel:
    """Return the share of failed requests."""
    return (
        number(
            "Errors",
            "Share of requests that fail at the door, over 5 minutes; without Caddy, share of valid predictions that "
            "fail "
            "in the service. Alert DoorAvailabilityBudgetBurn: monitoring/runbook.md#dooravailabilitybudgetburn "
            "Alert HighErrorRate: monitoring/runbook.md#higherrorrate",
            units.PercentUnit,
            query(
                "max(job:door_errors_per_request:ratio_rate5m) or "
                "max(job:model_prediction_errors_per_request:ratio_rate5m)",
                "errors",
            ),
            decimals=1,
            thresholds=bad_above(threshold("threshold:prediction_error_ratio:max"), warning_ratio=0.1),
            wall=True,
        )
        .no_value("idle")
        .links([details_link("isowatch-service", "Service")])
    )


def p95() -> stat.Panel:
    """Return how long predictions take."""
    return (
        number(
            "Prediction p95",
            "95th percentile of the prediction handler's duration, over 5 minutes, of the slowest model. "
            "Alert SlowPredictionResponse: monitoring/runbook.md#slowpredictionresponse",
            units.Milliseconds,
            # ">= 0" removes NaN, the quantile of a model without requests.
            query("1000 * max(job_model_version:model_prediction_duration_seconds:p95_rate5m >= 0)", "p95"),
            decimals=1,
            thresholds=bad_above(1000 * threshold("threshold:prediction_p95_seconds:max"), warning_ratio=0.05),
            wall=True,
        )
        .no_value("idle")
        .links([details_link("isowatch-service", "Service")])
    )


def budget() -> stat.Panel:
    """Return what is left of the error budgets."""

    def left(*pairs: tuple[str, str]) -> str:
        """Return the smaller budget of the service and the door."""
        shares = (f"1 - {ratio}:ratio_rate14d / scalar({budget})" for ratio, budget in pairs)
        return f"clamp_min(min({' or '.join(shares)}), 0)"

    errors, slow = "threshold:prediction_error_budget:ratio", "threshold:prediction_latency_budget:ratio"
    return (
        number(
            "Is the budget intact?",
            "Remaining error budgets over 14 days, of errors and of slow predictions: in the service or at the door, "
            "whichever is less; 0 % if it is spent.",
            units.PercentUnit,
            query(
                left(("job:model_prediction_errors_per_request", errors), ("job:door_errors_per_request", errors)),
                "errors",
            ),
            query(
                left(("job:model_prediction_slow_per_request", slow), ("job:door_slow_per_request", slow)), "slowness"
            ),
            decimals=0,
            thresholds=bad_below(_BUDGET_SCARCE, warning=_BUDGET_HALF),
            sparkline=False,
            wall=True,
            name_size=True,
        )
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .no_value("idle")
        .links([details_link("isowatch-service", "Service")])
    )


def cost() -> stat.Panel:
    """Return what the replicas cost."""
    return (
        number(
            "What does it cost?",
            "Cost of the running replicas a month, and of a million predictions over the last hour. Set "
            "REPLICA_MONTHLY_COST and CURRENCY; without them the cost is unknown.",
            units.NoUnit,
            query("job_currency:cost_per_month:sum", "{{currency}} a month"),
            query("job_currency:cost_per_million_predictions:ratio_rate1h", "{{currency}} per million"),
            decimals=2,
            sparkline=False,
            wall=True,
            name_size=True,
        )
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .no_value("unknown")
        .links([details_link("isowatch-service", "Service")])
    )
