"""Of the dashboard "Service": requests of all routes, their outcomes and their durations."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import ScaleDistributionConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import ScaleDistribution

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, VERSION, quantile, query, rate

_SECONDS = "flask_http_request_duration_seconds"

# Prometheus and health checks ask at all times, and would hide how slow the rest is.
_ASKED = f'{INSTANCE}, url_rule!~"/metrics/?|/healthz|/readyz|/v2/health/.*"'
_PREDICTION = f'{INSTANCE}, url_rule="/prediction"'


def add_requests(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Requests")
    grid.line(9, _by_route(), _questions())
    grid.line(
        9, _durations("/prediction", _PREDICTION, "the route /prediction"), _durations("all", _ASKED, "all routes")
    )
    grid.line(9, _handler(), _error_answers(), _in_flight())
    grid.line(8, _answers("4xx", "4..", "the caller's"), _answers("5xx", "5..", "ours"), _exceptions())


def _by_route() -> timeseries.Panel:
    """What is asked, and how it was answered."""
    return graph(
        "Requests a second by route and status",
        "Answers of all routes. Combinations that did not occur in the time shown are left out.",
        units.RequestsPerSecond,
        # Every combination exists from the start, at 0: without > 0 the legend would have a hundred lines.
        query(
            f"{rate(f'{_SECONDS}_count', INSTANCE, by='url_rule, status')} > 0", "{{url_rule}} {{status}}", often=True
        ),
        decimals=1,
        wide=True,
    )


def _questions() -> timeseries.Panel:
    """Predictions beside questions about the model."""
    return graph(
        "Predictions and model information a second",
        "Requests to the prediction routes and to /model_information.",
        units.RequestsPerSecond,
        query(rate("model_prediction_requests_total", VERSION), "predictions", often=True),
        query(rate("model_information_requests_total", INSTANCE), "model information", often=True),
        decimals=1,
        wide=True,
    )


def _durations(title: str, selector: str, whose: str) -> timeseries.Panel:
    """How long answers take."""

    def milliseconds(expression: str, legend: str) -> Dataquery:
        return query(f"1000 * {expression}", legend, often=True)

    mean = f"{rate(f'{_SECONDS}_sum', selector)} / {rate(f'{_SECONDS}_count', selector)}"
    return graph(
        f"Duration of requests: {title}",
        f"From the first line of a request to its answer, in {whose} but health checks and Prometheus's own questions. "
        "Quantiles are estimated within the limits of the histogram.",
        units.Milliseconds,
        milliseconds(mean, "average"),
        milliseconds(quantile(0.5, _SECONDS, selector), "p50"),
        milliseconds(quantile(0.95, _SECONDS, selector), "p95"),
        milliseconds(quantile(0.99, _SECONDS, selector), "p99"),
        decimals=2,
        wide=True,
    )


def _handler() -> timeseries.Panel:
    """What SlowPredictionResponse looks at."""
    panel = graph(
        "p95 in the prediction handler",
        "19 of 20 predictions of a model version take less than this in the handler, over 5 minutes; the scale is "
        "logarithmic. Alert SlowPredictionResponse: monitoring/runbook.md#slowpredictionresponse",
        units.Milliseconds,
        query(
            '1000 * job_model_version:model_prediction_duration_seconds:p95_rate5m{model_version=~"$model_version"}',
            "{{model_version}}",
        ),
        alert_line("threshold:prediction_p95_seconds:max", 1000),
        decimals=2,
        from_zero=False,
    )
    # A millisecond and the second at which an alert fires are both to be seen.
    return panel.scale_distribution(ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10))


def _error_answers() -> timeseries.Panel:
    """What ErrorResponses looks at."""
    return graph(
        "4xx and 5xx a second, all routes",
        "Answers that were errors, over one minute: 4xx is the caller's fault, 5xx is ours. An alert fires when both "
        "together are above the line: ErrorResponses, monitoring/runbook.md#errorresponses",
        units.RequestsPerSecond,
        query("job:flask_http_request_errors:rate1m", "4xx and 5xx together"),
        query(rate(f"{_SECONDS}_count", f'{INSTANCE}, status=~"4.."'), "4xx", often=True),
        query(rate(f"{_SECONDS}_count", f'{INSTANCE}, status=~"5.."'), "5xx", often=True),
        alert_line("threshold:error_responses_per_second:max"),
        decimals=1,
    )


def _in_flight() -> timeseries.Panel:
    """How many are waited for."""
    return graph(
        "Requests in flight",
        "Requests that are being answered at the moment of a scrape; the scrape itself is one of them.",
        units.Short,
        query(f"sum by (instance) (app_requests_in_flight{{{INSTANCE}}})", "{{instance}}", often=True),
        decimals=0,
    )


def _answers(title: str, statuses: str, whose: str) -> timeseries.Panel:
    """Error answers by status."""
    selector = f'{INSTANCE}, status=~"{statuses}"'
    return graph(
        f"{title} a second by method and status",
        f"Answers to all routes that say that the fault is {whose}.",
        units.RequestsPerSecond,
        query(rate("flask_http_request_total", selector, by="method, status"), "{{method}} {{status}}", often=True),
        at_least=1,
    )


def _exceptions() -> timeseries.Panel:
    """Errors that nobody foresaw."""
    return graph(
        "Exceptions a second",
        "Requests that ended in an error that the code did not expect; each is in the log with its traceback.",
        units.RequestsPerSecond,
        query(rate("flask_http_request_exceptions_total", INSTANCE, by="method"), "{{method}}", often=True),
        at_least=1,
    )
