"""Dashboard "Service": requests of all routes, their outcomes and durations."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, REQUESTS_OF_CALLERS, VERSION, quantile, query, rate

# Durations have no exact statuses: only the counter does.
_REQUESTS, _SECONDS = "flask_http_request_total", "flask_http_request_duration_seconds"

_ALL_ROUTES = f"{INSTANCE}, {REQUESTS_OF_CALLERS}"


def add_requests(grid: Grid) -> None:
    """Add the panels on requests."""
    grid.add_row("Requests in the service")
    grid.add_panels(9, _by_route(), _outcomes())
    grid.add_panels(9, _durations(), _handler_p95(), _in_flight())
    grid.add_panels(9, _error_ratio(), _error_responses(), widths=(8, 16))
    grid.add_panels(8, _callers(), _refused())


def _by_route() -> timeseries.Panel:
    return graph(
        "Requests per second by route and status",
        "Requests of all routes, the ten most frequent combinations.",
        units.RequestsPerSecond,
        # Every combination exists from the start with the value 0; without "> 0" the legend would be very long.
        query(
            f"topk(10, {rate(_REQUESTS, INSTANCE, by='url_rule, status')} > 0)",
            "{{url_rule}} {{status}}",
            fast_scrape=True,
        ),
        decimals=1,
        legend_right=True,
    )


def _outcomes() -> timeseries.Panel:
    return graph(
        "Predictions per second by outcome",
        "Requests to the prediction routes: invalid is the caller's fault, error is ours. Beside them, requests to "
        "/model_information, of which clients should send few.",
        units.RequestsPerSecond,
        query(f"{rate('model_prediction_requests_total', VERSION, by='status')} > 0", "{{status}}", fast_scrape=True),
        query(f"{rate('model_information_requests_total', INSTANCE)} > 0", "model information", fast_scrape=True),
        decimals=1,
        legend_right=True,
    )


def _durations() -> timeseries.Panel:
    def milliseconds(expression: str, legend: str) -> Dataquery:
        return query(f"1000 * {expression}", legend, fast_scrape=True)

    mean = f"{rate(f'{_SECONDS}_sum', _ALL_ROUTES)} / {rate(f'{_SECONDS}_count', _ALL_ROUTES)}"
    return graph(
        "Request duration",
        "Duration of requests to all routes except health checks and scrapes, from the first line of the request to "
        "the response. Quantiles are estimated from histogram buckets.",
        units.Milliseconds,
        milliseconds(mean, "mean"),
        milliseconds(quantile(0.5, _SECONDS, _ALL_ROUTES), "p50"),
        milliseconds(quantile(0.95, _SECONDS, _ALL_ROUTES), "p95"),
        milliseconds(quantile(0.99, _SECONDS, _ALL_ROUTES), "p99"),
        decimals=2,
    )


def _error_ratio() -> timeseries.Panel:
    return graph(
        "Prediction error ratio",
        "Share of valid predictions that failed because of the service, over 5 minutes. "
        "Alert HighErrorRate: monitoring/runbook.md#higherrorrate",
        units.PercentUnit,
        query("job:model_prediction_errors_per_request:ratio_rate5m", "errors"),
        alert_line("threshold:prediction_error_ratio:max"),
        decimals=1,
    )


def _handler_p95() -> timeseries.Panel:
    # Usual durations are about a millisecond, and the alert threshold is a second.
    return graph(
        "Prediction handler p95",
        "95th percentile of the handler's duration by model version, over 5 minutes, of the ten slowest, on a "
        "logarithmic scale. "
        "Alert SlowPredictionResponse: monitoring/runbook.md#slowpredictionresponse",
        units.Milliseconds,
        query(
            "topk(10, 1000 * job_model_version:model_prediction_duration_seconds:p95_rate5m"
            '{model_version=~"$model_version"} >= 0)',
            "{{model_version}}",
        ),
        alert_line("threshold:prediction_p95_seconds:max", 1000),
        decimals=2,
        logarithmic=True,
    )


def _error_responses() -> timeseries.Panel:
    by_status = rate(_REQUESTS, f'{INSTANCE}, status=~"4..|5.."', by="method, status")
    return graph(
        "Error responses per second by method and status",
        "Responses of all routes with a status of 4xx (the caller's fault) or 5xx (ours), the ten most frequent. The "
        "alert uses the sum of all, over one minute. The log has the traceback of each unhandled exception. Alert "
        "ErrorResponses: monitoring/runbook.md#errorresponses",
        units.RequestsPerSecond,
        query(f"topk(10, {by_status} > 0)", "{{method}} {{status}}", fast_scrape=True),
        query("job:flask_http_request_errors:rate1m > 0", "all"),
        query(f"{rate('flask_http_request_exceptions_total', INSTANCE)} > 0", "unhandled exceptions", fast_scrape=True),
        alert_line("threshold:error_responses_per_second:max"),
        decimals=1,
        legend_right=True,
    )


def _in_flight() -> timeseries.Panel:
    return graph(
        "Requests in flight",
        "Requests in progress at the time of a scrape, without the scrape itself.",
        units.Short,
        query(
            f"clamp_min(sum by (instance) (app_requests_in_flight{{{INSTANCE}}}) - 1, 0)",
            "{{instance}}",
            fast_scrape=True,
        ),
        decimals=0,
        soft_max=2,
    )


def _callers() -> timeseries.Panel:
    return graph(
        "Requests per second by API key",
        "Allowed requests with an API key, by the name of its holder; the ten with most.",
        units.RequestsPerSecond,
        query(f"topk(10, {rate('api_key_requests_total', INSTANCE, by='caller')} > 0)", "{{caller}}", fast_scrape=True),
        decimals=1,
        soft_max=1,
    )


def _refused() -> timeseries.Panel:
    return graph(
        "Refused keys and closed connections per second",
        "Requests with a missing or wrong API key, or one that lacks the role; and connections that were closed before "
        "their request was answered: malformed requests, slow heads, bodies and readers, and too many connections. "
        "These appear in no other panel. The log names the addresses of wrong keys.",
        units.RequestsPerSecond,
        query(
            f"{rate('api_key_refused_requests_total', INSTANCE, by='reason')} > 0", "key: {{reason}}", fast_scrape=True
        ),
        query(
            f"{rate('http_connections_closed_total', INSTANCE, by='reason')} > 0",
            "closed: {{reason}}",
            fast_scrape=True,
        ),
        soft_max=1,
    )
