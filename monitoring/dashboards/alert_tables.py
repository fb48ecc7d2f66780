"""Tables of alerts, with links into the runbook."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.queries import FIRING, table_query
from monitoring.dashboards.tables import series_table

# Caddy serves the runbook beside Grafana. Its anchors include the alerts' names as they are.
_RUNBOOK = [{"title": "Runbook: ${__value.text}", "url": "/runbook/#${__value.text}", "targetBlank": True}]

# Since when the condition of an alert has been true.
_SINCE = 'ALERTS_FOR_STATE{alertname!="Watchdog"}'

_DETAILS = {"severity": "severity", "instance": "instance", "reason": "reason", "window": "window"}


def firing_alerts() -> table.Panel:
    """Return the table of alerts that fire."""
    # ALERTS_FOR_STATE includes pending alerts, so it is matched with the firing ones.
    active = f"(time() - {_SINCE}) and ignoring (alertstate) {FIRING}"
    panel = series_table(
        "What fires?",
        "Each firing alert and for how long its condition has been true. Click it for its entry in the runbook.",
        [table_query(active)],
        {"alertname": "alert", **_DETAILS, "Value": "active for"},
        unit=units.Seconds,
        decimals=0,
        no_value="Nothing",
        widths={"alert": 280, "severity": 100},
    )
    return _linked(panel)


def pending_and_firing_alerts() -> table.Panel:
    """Return the table of alerts that fire, or will if their condition stays true."""

    def active(state: str) -> str:
        since = f'(time() - {_SINCE}) and ignoring (alertstate) ALERTS{{alertstate="{state}"}}'
        return f'label_replace({since}, "alertstate", "{state}", "", "")'

    panel = series_table(
        "Alerts",
        "Each alert that fires or is pending, which means that its condition is true, but not for long enough yet, and "
        "since when it has been true. Click it for its entry in the runbook.",
        [table_query(f"{active('firing')} or {active('pending')}")],
        {"alertname": "alert", "alertstate": "state", **_DETAILS, "Value": "true for"},
        unit=units.Seconds,
        decimals=0,
        no_value="None",
        widths={"alert": 240, "state": 80, "severity": 90},
    )
    states = {"firing": colours.BAD, "pending": colours.NEUTRAL}
    return _linked(panel).override_by_name("state", _background(states))


def _linked(panel: table.Panel) -> table.Panel:
    """Link alerts to the runbook, and colour severities."""
    severities = {"critical": colours.BAD, "warning": colours.WARNING, "info": colours.NEUTRAL}
    return panel.override_by_name("alert", [DynamicConfigValue("links", _RUNBOOK)]).override_by_name(
        "severity", _background(severities)
    )


def _background(colour_of: dict[str, str]) -> list[DynamicConfigValue]:
    """Colour the background of a cell by its text."""
    mapping = ValueMap(
        options={
            text: ValueMappingResult(color=colour, text=text, index=place)
            for place, (text, colour) in enumerate(colour_of.items())
        }
    )
    return [
        DynamicConfigValue("mappings", [mapping]),
        DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
    ]
