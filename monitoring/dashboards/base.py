"""What all dashboards have in common besides panels: links, annotations, time range and variables."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard, DashboardLink, QueryVariable
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitoring.dashboards import colours
from monitoring.dashboards.queries import FIRING, PROMETHEUS

# Every dashboard has this tag and links to all others with it.
TAG = "isowatch"

# Long enough to show what led to the current state, short enough for a point every five seconds.
TIME_RANGE, REFRESH = "now-15m", "5s"


def new_dashboard(title: str, uid: str, description: str) -> Dashboard:
    """Return a dashboard without panels.

    Parameters
    ----------
    title
        Unique within the folder.
    uid
        Part of the dashboard's address, so it must never change; at most 40 characters.
    description
        The question that it answers.
    """
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(TIME_RANGE, "now")
        .refresh(REFRESH)
        # By tag, so that a new dashboard is linked from all others, and so that a path prefix of Grafana is respected.
        .link(
            DashboardLink("Dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(False)
            .keep_time(True)
        )
        .annotation(_firing_alerts())
        .annotation(_model_changes())
        .annotation(_audit_trail_events())
    )


def query_variable(name: str, label: str, values: str, *, multi: bool = True) -> QueryVariable:
    """Return a variable whose values come from Prometheus.

    Parameters
    ----------
    name, label
        Its name in queries and on the dashboard.
    values
        Query of the values: ``label_values(metric, label)``.
    multi
        Whether several values can be selected, with all as default; otherwise one, with the first as default.
    """
    variable = (
        QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query({"query": values, "refId": name})
        .definition(values)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
        .multi(multi)
        .include_all(multi)
    )
    if multi:
        # ".*" also matches series without the label.
        variable = variable.all_value(".*").current(VariableOption(text="All", value="$__all"))
    return variable


def instance_variable() -> QueryVariable:
    """Return a variable for the replicas of the service, which queries use through ``queries.INSTANCE``."""
    return query_variable("instance", "Instance", 'label_values(up{job="service"}, instance)')


def details_link(uid: str, title: str) -> DashboardLink:
    """Return a panel's link to the dashboard with its details, for the same time range."""
    return DashboardLink(title).type(DashboardLinkType.LINK).url(f"/d/{uid}?${{__url_time_range}}")


def drift_events() -> AnnotationQuery:
    """Mark drift events, for dashboards that show the effects of drift."""
    return (
        AnnotationQuery()
        .name("Drift events")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.WARNING)
        # Over two steps, so that no event falls between them; adjacent marks are drawn as one.
        .expr('round(sum by (detector, feature) (increase(drift_events_total{job="service"}[30s]))) > 0')
        .step("15s")
        .title_format("Drift event")
        .text_format("{{detector}} {{feature}}")
        .tag_keys("detector,feature")
    )


def _firing_alerts() -> AnnotationQuery:
    """Mark on every graph when alerts fire."""
    return (
        AnnotationQuery()
        .name("Firing alerts")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.BAD)
        .expr(FIRING)
        # The evaluation interval of rules, so that an alert is one continuous mark.
        .step("15s")
        .title_format("{{alertname}}")
        .text_format("{{severity}}")
        .tag_keys("alertname,severity")
    )


def _model_changes() -> AnnotationQuery:
    """Mark on every graph when a model went live; the value is the time, in milliseconds."""
    loaded = 'max(model_loaded_timestamp_seconds{job="service"}) * 1000'
    live = 'max by (model_version) (model_info{job="service"} == 1)'
    return (
        AnnotationQuery()
        .name("Live model changes")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.NEUTRAL)
        .expr(f"{live} * on () group_left () ({loaded})")
        .use_value_for_time(True)
        .title_format("Model went live")
        .text_format("{{model_version}}")
        .tag_keys("model_version")
    )


def _audit_trail_events() -> AnnotationQuery:
    """Mark on every graph what was done to models and records, according to the audit trail.

    A promotion has two marks: this one when it was requested, and that of ``_model_changes``, which does not need
    records, when it took effect. A sample contains only the last event of each kind; earlier events are in earlier
    samples.
    """
    return (
        AnnotationQuery()
        .name("Audit trail")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.AUDIT_TRAIL)
        # 0 until there is an event; replicas that share a database report the same.
        .expr('max by (event) (records_event_timestamp_seconds{job="service"} > 0) * 1000')
        .use_value_for_time(True)
        .title_format("Audit trail: {{event}}")
        .tag_keys("event")
    )
