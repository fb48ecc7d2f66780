"""Requirements on every alert: severity, texts, links and promtool tests."""

from __future__ import annotations

import re

import pytest

from tests.monitoring.rule_files import Rule, read_alert_cases, read_alerts

ALERTS = read_alerts()

# Alerts on a state, whose value is meaningless.
WITHOUT_VALUE = {
    "DoorDown",
    "DriftNotWatched",
    "ModelMissing",
    "PrometheusConfigReloadFailed",
    "ServiceDown",
    "TargetDown",
    "TrainingFailed",
    "Watchdog",
}

_DASHBOARD_NAMES = ("glance", "service", "predictions", "drift", "quality", "training", "containers")

# Valid paths of dashboards.
DASHBOARDS = {f"/d/isowatch-{name}" for name in _DASHBOARD_NAMES}


def label(alert: Rule) -> str:
    """Return the test id of an alert, with its window if it has one."""
    return "-".join((alert.name, *filter(None, [alert.labels.get("window")])))


every_alert = pytest.mark.parametrize("alert", ALERTS, ids=label)


def test_alerts_are_distinguishable():
    """Two alerts with the same name differ in a label; otherwise one would hide the other."""
    identities = [(alert.name, *sorted(alert.labels.items())) for alert in ALERTS]

    assert len(identities) == len(set(identities))


@every_alert
def test_severity_is_valid(alert: Rule):
    """Critical means now, warning means working hours, info asks for nothing; only Watchdog has none of them."""
    allowed = {"none"} if alert.name == "Watchdog" else {"critical", "warning", "info"}

    assert alert.labels["severity"] in allowed


@every_alert
def test_texts_are_sentences(alert: Rule):
    """The summary is a fixed sentence; the description contains the value if it is meaningful."""
    summary, description = alert.annotations["summary"], alert.annotations["description"]

    assert re.fullmatch(r"[A-Z][^{}\n]+\.", summary)
    assert description.endswith((".", ".{{ end }}"))
    assert ("$value" in description) != (alert.name in WITHOUT_VALUE)


@every_alert
def test_value_is_readable(alert: Rule):
    """A value is formatted with rounding and a unit, unless it is a whole number."""
    bare = re.findall(r"{{-? *\$value *-?}}", alert.annotations["description"])

    assert not bare or re.match(r"round\(|changes\(|max by .*\bcount by", alert.expression, re.DOTALL)


@every_alert
def test_alert_links_to_runbook_and_dashboard(alert: Rule):
    """An alert links to its runbook entry and to the dashboard that shows its cause, at the configured addresses."""
    runbook, dashboard = alert.annotations["runbook_url"], alert.annotations["dashboard"]

    assert runbook == f'{{{{ or $externalLabels.runbook "monitoring/runbook.md" }}}}#{alert.name.lower()}'
    assert dashboard.removeprefix('{{ reReplaceAll "/+$" "" $externalLabels.grafana }}') in DASHBOARDS


@every_alert
def test_impact_is_a_sentence(alert: Rule):
    """An alert says in a fixed sentence what it means for callers."""
    assert re.fullmatch(r"[A-Z][^{}\n]+\.", alert.annotations["impact"])


@every_alert
def test_alert_is_tested_silent_and_firing(alert: Rule):
    """At least one promtool test checks an alert both when it is silent and when it fires."""
    cases = [case for case in read_alert_cases() if case.alert == alert.name]
    firing = {case.test for case in cases if case.is_firing}
    silent = {case.test for case in cases if not case.is_firing}

    # Watchdog always fires.
    assert firing & silent or (alert.name == "Watchdog" and firing)
