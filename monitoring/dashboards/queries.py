"""Questions to Prometheus, and who is asked about in them."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

# The uid is that of monitoring/grafana/provisioning/datasources/; it must never change, see there.
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")

# How often monitoring/prometheus/prometheus.yml scrapes the service and trainings. The data source itself says 15s,
# as for all others; a query that says 5s gets a $__rate_interval of four of these scrapes, and points as dense.
OFTEN = "5s"

# The replicas and the model that somebody has chosen on the dashboard.
INSTANCE = 'job="service", instance=~"$instance"'
VERSION = f'{INSTANCE}, model_version=~"$model_version"'

FIRING = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'


def query(expression: str, legend: str = "", *, often: bool = False) -> Dataquery:
    """Ask for the time shown.

    Parameters
    ----------
    expression
        PromQL.
    legend
        What a line is, with labels in braces: ``{{status}}``.
    often
        Whether the series come from a job that is scraped every five seconds. Recorded series do not: rules are
        evaluated every fifteen.

    Examples
    --------
    >>> query("up", "{{job}}", often=True).build().interval
    '5s'
    """
    asked = Dataquery().datasource(PROMETHEUS).editor_mode(QueryEditorMode.CODE).expr(expression).legend_format(legend)
    return asked.range().interval(OFTEN) if often else asked.range()


def now(expression: str, legend: str = "") -> Dataquery:
    """Ask for this moment only."""
    return query(expression, legend).instant()


def rows_now(expression: str) -> Dataquery:
    """Ask for this moment, as rows of a table with a column for each label."""
    return now(expression).format(PromQueryFormat.TABLE)


def named_or(expression: str, label: str, otherwise: str) -> Dataquery:
    """Ask for series that there are at this moment, each to be called by a label; for a word, when there are none.

    Examples
    --------
    >>> named_or("a == 1", "b", "none").build().expr
    '(a == 1) or on () label_replace(vector(0), "b", "none", "", "")'
    """
    return now(
        f'({expression}) or on () label_replace(vector(0), "{label}", "{otherwise}", "", "")', f"{{{{{label}}}}}"
    )


def lettered(queries: Sequence[Dataquery]) -> list[Builder[AnyQuery]]:
    """Give the queries of a panel the letters by which Grafana tells them apart."""
    return [query.ref_id(chr(ord("A") + place)) for place, query in enumerate(queries)]


def rate(metric: str, selector: str, by: str = "") -> str:
    """Say how fast a counter grows, a second, over all series or for each value of the labels ``by``.

    Examples
    --------
    >>> rate("a_total", 'job="service"')
    'sum(rate(a_total{job="service"}[$__rate_interval]))'
    >>> rate("a_total", "", by="status")
    'sum by (status) (rate(a_total{}[$__rate_interval]))'
    """
    total = f"sum by ({by}) " if by else "sum"
    return f"{total}(rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, selector: str) -> str:
    """Estimate a quantile of a histogram over all its series."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', selector, by='le')})"
