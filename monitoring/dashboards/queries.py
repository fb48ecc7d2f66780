"""Prometheus queries and the label selectors that they share."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

# The uid is defined in monitoring/grafana/provisioning/datasources/ and must never change; the file says why.
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")

# The scrape interval of the service and of training runs in monitoring/prometheus/prometheus.yml. The data source's
# default is 15s, as for all other jobs. With 5s, $__rate_interval is 20s (four scrapes), and points are as dense.
FAST_SCRAPE_INTERVAL = "5s"

# The instances and model versions selected on the dashboard.
INSTANCE = 'job="service", instance=~"$instance"'
VERSION = f'{INSTANCE}, model_version=~"$model_version"'

# Prometheus and health checks are excluded: they send requests all the time and would hide how slow the rest is.
REQUESTS_OF_CALLERS = 'url_rule!~"/metrics/?|/healthz|/readyz|/v2/health/.*"'

FIRING = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'

RUNNING_TRAINING = 'job="model-training"'
_LAST_TRAINING = 'job="training", model_name=~"$model_name"'


def query(expression: str, legend: str = "", *, fast_scrape: bool = False) -> Dataquery:
    """Query the dashboard's time range.

    Parameters
    ----------
    expression
        PromQL.
    legend
        The name of a line, with labels in braces: ``{{status}}``.
    fast_scrape
        Whether the series are scraped every five seconds. Recorded series are not: rules are evaluated every fifteen.

    Examples
    --------
    >>> query("up", "{{job}}", fast_scrape=True).build().interval
    '5s'
    """
    built = Dataquery().datasource(PROMETHEUS).editor_mode(QueryEditorMode.CODE).expr(expression).legend_format(legend)
    return built.range().interval(FAST_SCRAPE_INTERVAL) if fast_scrape else built.range()


def instant_query(expression: str, legend: str = "") -> Dataquery:
    """Query only the end of the time range."""
    return query(expression, legend).instant()


def table_query(expression: str) -> Dataquery:
    """Query the end of the time range as a table with a column for each label."""
    return instant_query(expression).format(PromQueryFormat.TABLE)


def names_query(expression: str, label: str, default: str) -> Dataquery:
    """Query current series with the value of a label as legend; without any series, the legend is the default.

    Examples
    --------
    >>> names_query("a == 1", "b", "none").build().expr
    '(a == 1) or on () label_replace(vector(0), "b", "none", "", "")'
    """
    return instant_query(
        f'({expression}) or on () label_replace(vector(0), "{label}", "{default}", "", "")', f"{{{{{label}}}}}"
    )


def with_ref_ids(queries: Sequence[Dataquery]) -> list[Builder[AnyQuery]]:
    """Assign the letters by which Grafana distinguishes the queries of a panel."""
    return [query.ref_id(chr(ord("A") + position)) for position, query in enumerate(queries)]


def rate(metric: str, selector: str, by: str = "") -> str:
    """Return PromQL for the rate of a counter, summed over all series or by the labels ``by``.

    Examples
    --------
    >>> rate("a_total", 'job="service"')
    'sum(rate(a_total{job="service"}[$__rate_interval]))'
    >>> rate("a_total", "", by="status")
    'sum by (status) (rate(a_total{}[$__rate_interval]))'
    """
    total = f"sum by ({by}) " if by else "sum"
    return f"{total}(rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(q: float, histogram: str, selector: str) -> str:
    """Return PromQL that estimates a quantile of a histogram over all its series."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', selector, by='le')})"


def running_or_last(metric: str, by: str = "", labels: str = "") -> str:
    """Return PromQL for a metric of the current training run or, if there is none, of the last one.

    Parameters
    ----------
    metric
        Its name.
    by
        Labels to keep, comma-separated.
    labels
        Further label matchers.
    """
    grouping = f" by ({by})" if by else ""
    more = f", {labels}" if labels else ""
    # `on ()` hides all pushed series as soon as the current run has any; otherwise the values of two runs would mix.
    return (
        f"max{grouping} ({metric}{{{RUNNING_TRAINING}{more}}}) or on () "
        f"max{grouping} ({metric}{{{_LAST_TRAINING}{more}}})"
    )
