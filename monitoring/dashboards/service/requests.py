"""Dashboard "Service": requests of all routes, their outcomes and durations."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import ScaleDistributionConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import ScaleDistribution

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, REQUESTS_OF_CALLERS, VERSION, quantile, query, rate

# Durations have no exact statuses: only the counter does.
_REQUESTS, _SECONDS = "flask_http_request_total", "flask_http_request_duration_seconds"

_ALL_ROUTES = f"{INSTANCE}, {REQUESTS_OF_CALLERS}"
_PREDICTION = f'{INSTANCE}, url_rule="/prediction"'


def add_requests(grid: Grid) -> None:
    """Add the panels on requests."""
    grid.add_row("Requests")
    grid.add_panels(9, _by_route(), _predictions_and_information())
    grid.add_panels(
        9,
        _durations("/prediction", _PREDICTION, "requests to /prediction"),
        _durations("all routes", _ALL_ROUTES, "requests to all routes except health checks and scrapes"),
    )
    grid.add_panels(9, _handler_p95(), _error_responses(), _in_flight())
    grid.add_panels(8, _responses("4xx", "4..", "the caller"), _responses("5xx", "5..", "the service"), _exceptions())
    grid.add_panels(8, _callers(), _refused_keys(), _closed_connections())


def _by_route() -> timeseries.Panel:
    return graph(
        "Requests per second by route and status",
        "Requests of all routes. Combinations that do not occur in the time range are not shown.",
        units.RequestsPerSecond,
        # Every combination exists from the start with the value 0; without "> 0" the legend would be very long.
        query(
            f"{rate(_REQUESTS, INSTANCE, by='url_rule, status')} > 0",
            "{{url_rule}} {{status}}",
            fast_scrape=True,
        ),
        decimals=1,
        legend_right=True,
    )


def _predictions_and_information() -> timeseries.Panel:
    return graph(
        "Predictions and model information per second",
        "Requests to the prediction routes and to /model_information.",
        units.RequestsPerSecond,
        query(rate("model_prediction_requests_total", VERSION), "predictions", fast_scrape=True),
        query(rate("model_information_requests_total", INSTANCE), "model information", fast_scrape=True),
        decimals=1,
        legend_right=True,
    )


def _durations(title: str, selector: str, which_requests: str) -> timeseries.Panel:
    def milliseconds(expression: str, legend: str) -> Dataquery:
        return query(f"1000 * {expression}", legend, fast_scrape=True)

    mean = f"{rate(f'{_SECONDS}_sum', selector)} / {rate(f'{_SECONDS}_count', selector)}"
    return graph(
        f"Request duration: {title}",
        f"Duration of {which_requests}, from the first line of the request to the response. Quantiles are estimated "
        "from histogram buckets.",
        units.Milliseconds,
        milliseconds(mean, "mean"),
        milliseconds(quantile(0.5, _SECONDS, selector), "p50"),
        milliseconds(quantile(0.95, _SECONDS, selector), "p95"),
        milliseconds(quantile(0.99, _SECONDS, selector), "p99"),
        decimals=2,
        legend_right=True,
    )


def _handler_p95() -> timeseries.Panel:
    panel = graph(
        "Prediction handler p95",
        "95th percentile of the handler's duration by model version, over 5 minutes, on a logarithmic scale. "
        "Alert SlowPredictionResponse: monitoring/runbook.md#slowpredictionresponse",
        units.Milliseconds,
        query(
            '1000 * job_model_version:model_prediction_duration_seconds:p95_rate5m{model_version=~"$model_version"}',
            "{{model_version}}",
        ),
        alert_line("threshold:prediction_p95_seconds:max", 1000),
        decimals=2,
        from_zero=False,
    )
    # Usual durations are about a millisecond, and the alert threshold is a second.
    return panel.scale_distribution(ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10))


def _error_responses() -> timeseries.Panel:
    return graph(
        "Error responses per second",
        "Responses of all routes with a status of 4xx (the caller's fault) or 5xx (ours). The alert uses their sum, "
        "over one minute. "
        "Alert ErrorResponses: monitoring/runbook.md#errorresponses",
        units.RequestsPerSecond,
        query("job:flask_http_request_errors:rate1m", "4xx and 5xx"),
        query(rate(_REQUESTS, f'{INSTANCE}, status=~"4.."'), "4xx", fast_scrape=True),
        query(rate(_REQUESTS, f'{INSTANCE}, status=~"5.."'), "5xx", fast_scrape=True),
        alert_line("threshold:error_responses_per_second:max"),
        decimals=1,
    )


def _in_flight() -> timeseries.Panel:
    return graph(
        "Requests in flight",
        "Requests in progress at the time of a scrape, including the scrape itself.",
        units.Short,
        query(f"sum by (instance) (app_requests_in_flight{{{INSTANCE}}})", "{{instance}}", fast_scrape=True),
        decimals=0,
    )


def _responses(title: str, statuses: str, at_fault: str) -> timeseries.Panel:
    selector = f'{INSTANCE}, status=~"{statuses}"'
    return graph(
        f"{title} per second by method and status",
        f"Responses of all routes for errors caused by {at_fault}.",
        units.RequestsPerSecond,
        query(rate(_REQUESTS, selector, by="method, status"), "{{method}} {{status}}", fast_scrape=True),
        soft_max=1,
    )


def _exceptions() -> timeseries.Panel:
    return graph(
        "Exceptions per second",
        "Requests that ended in an unhandled exception; the log contains each traceback.",
        units.RequestsPerSecond,
        query(rate("flask_http_request_exceptions_total", INSTANCE, by="method"), "{{method}}", fast_scrape=True),
        soft_max=1,
    )


def _callers() -> timeseries.Panel:
    return graph(
        "Requests per second by API key",
        "Allowed requests with an API key, by the name of its holder.",
        units.RequestsPerSecond,
        query(rate("api_key_requests_total", INSTANCE, by="caller"), "{{caller}}", fast_scrape=True),
        decimals=1,
        legend_right=True,
    )


def _refused_keys() -> timeseries.Panel:
    return graph(
        "Refused API keys per second",
        "Requests without a key, with a wrong key, from an address that sent too many wrong ones, or with a key that "
        "lacks the role. The log names the addresses of wrong keys.",
        units.RequestsPerSecond,
        query(rate("api_key_refused_requests_total", INSTANCE, by="reason"), "{{reason}}", fast_scrape=True),
        soft_max=1,
    )


def _closed_connections() -> timeseries.Panel:
    return graph(
        "Connections closed early per second",
        "Connections that were closed before their request was answered: malformed requests, slow heads, bodies and "
        "readers, and too many connections. Their requests appear in no other panel.",
        units.RequestsPerSecond,
        query(rate("http_connections_closed_total", INSTANCE, by="reason"), "{{reason}}", fast_scrape=True),
        soft_max=1,
    )
