"""What all dashboards have around their panels: links, annotations, the time shown, variables."""

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

# Every dashboard bears it, and links to all that do.
TAG = "isowatch"

# Long enough to see what led to now, short enough for points of five seconds.
TIME_SHOWN, REFRESH = "now-15m", "5s"


def new_dashboard(title: str, uid: str, description: str) -> Dashboard:
    """Make a dashboard without panels.

    Parameters
    ----------
    title
        Unique within the folder.
    uid
        Part of the dashboard's address, so it stays as it is for ever; 40 characters at most.
    description
        What question it answers.
    """
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(TIME_SHOWN, "now")
        .refresh(REFRESH)
        # By tag, so that a new dashboard is linked from all others, and with Grafana's own prefix of paths.
        .link(
            DashboardLink("Dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(False)
            .keep_time(True)
        )
        .annotation(_firing_alerts())
        .annotation(_new_models())
        .annotation(_recorded_events())
    )


def choice(name: str, label: str, values: str, *, several: bool = True) -> QueryVariable:
    """Let the reader choose.

    Parameters
    ----------
    name, label
        What queries and the reader call it.
    values
        Where the values come from: ``label_values(metric, label)``.
    several
        Whether any number may be chosen, and all are at first; else one, and the first is.
    """
    variable = (
        QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query({"query": values, "refId": name})
        .definition(values)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
        .multi(several)
        .include_all(several)
    )
    if several:
        # A series without the label belongs to none of the values, and so to all of them.
        variable = variable.all_value(".*").current(VariableOption(text="All", value="$__all"))
    return variable


def choice_of_instance() -> QueryVariable:
    """Let the reader choose replicas of the service; queries about them hold ``queries.INSTANCE``."""
    return choice("instance", "Instance", 'label_values(up{job="service"}, instance)')


def drift_events() -> AnnotationQuery:
    """Mark when a detector confirmed a drift, for dashboards that show what a drift does."""
    return (
        AnnotationQuery()
        .name("Drift events")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.WARNING)
        # Over two steps, so that no event falls between two of them; marks that touch are drawn as one.
        .expr('round(sum by (detector, feature) (increase(drift_events_total{job="service"}[30s]))) > 0')
        .step("15s")
        .title_format("Drift confirmed")
        .text_format("{{detector}} {{feature}}")
        .tag_keys("detector,feature")
    )


def _firing_alerts() -> AnnotationQuery:
    """Mark on every graph while an alert fires."""
    return (
        AnnotationQuery()
        .name("Alerts that fire")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.BAD)
        .expr(FIRING)
        # As often as rules are evaluated: an alert that goes on is one mark, from begin to end.
        .step("15s")
        .title_format("{{alertname}}")
        .text_format("{{severity}}")
        .tag_keys("alertname,severity")
    )


def _new_models() -> AnnotationQuery:
    """Mark on every graph when a model went live; the time is the value, in milliseconds."""
    loaded = 'max(model_loaded_timestamp_seconds{job="service"}) * 1000'
    live = 'max by (model_version) (model_info{job="service"} == 1)'
    return (
        AnnotationQuery()
        .name("Models that went live")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.NEUTRAL)
        .expr(f"{live} * on () group_left () ({loaded})")
        .use_value_for_time(True)
        .title_format("A model went live")
        .text_format("{{model_version}}")
        .tag_keys("model_version")
    )


def _recorded_events() -> AnnotationQuery:
    """Mark on every graph what somebody did to models and records, as the audit trail has it.

    A promotion stands beside the mark of the model that went live: one says what was decided, the other, which needs no
    records, when it took effect. Only the last event of each kind is known; further back it is known to the series of
    that time.
    """
    return (
        AnnotationQuery()
        .name("Events on record")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colours.ON_RECORD)
        # 0 until there is one; replicas that share a database tell the same.
        .expr('max by (event) (records_event_timestamp_seconds{job="service"} > 0) * 1000')
        .use_value_for_time(True)
        .title_format("On record: {{event}}")
        .tag_keys("event")
    )
