"""What every alert has: who has to act, words for people with the value in them, a way on, and a proof."""

from __future__ import annotations

import re

import pytest

from tests.monitoring.rule_files import Rule, read_alert_cases, read_alerts

ALERTS = read_alerts()

# What fires without a value that would tell anything: a state holds, and the labels say of what.
WITHOUT_VALUE = {"ModelMissing", "PrometheusConfigReloadFailed", "ServiceDown", "TrainingFailed", "Watchdog"}

_DASHBOARD_NAMES = ("glance", "service", "predictions", "drift", "quality", "training", "containers")

# The pages of Grafana that a path may lead to.
DASHBOARDS = {f"/d/isowatch-{name}" for name in _DASHBOARD_NAMES}


def label(alert: Rule) -> str:
    """Name an alert, with its window if it has several."""
    return "-".join((alert.name, *filter(None, [alert.labels.get("window")])))


every_alert = pytest.mark.parametrize("alert", ALERTS, ids=label)


def test_alerts_are_told_apart():
    """Two alerts of one name differ in a label, else one would hide the other."""
    identities = [(alert.name, *sorted(alert.labels.items())) for alert in ALERTS]

    assert len(identities) == len(set(identities))


@every_alert
def test_severity_says_who_has_to_act(alert: Rule):
    """Critical is for now, warning for working hours; only the one that always fires has neither."""
    allowed = {"none"} if alert.name == "Watchdog" else {"critical", "warning"}

    assert alert.labels["severity"] in allowed


@every_alert
def test_words_are_for_people(alert: Rule):
    """The summary is a fixed sentence; the description holds the value, where there is one, and ends as a sentence."""
    summary, description = alert.annotations["summary"], alert.annotations["description"]

    assert re.fullmatch(r"[A-Z][^{}\n]+\.", summary)
    assert description.endswith((".", ".{{ end }}"))
    assert ("$value" in description) != (alert.name in WITHOUT_VALUE)


@every_alert
def test_value_is_readable(alert: Rule):
    """A value goes through a function that rounds it and gives it a unit, unless it is a whole number."""
    bare = re.findall(r"{{-? *\$value *-?}}", alert.annotations["description"])

    assert not bare or re.match(r"round\(|changes\(|max by .*\bcount by", alert.expression, re.DOTALL)


@every_alert
def test_alert_leads_on(alert: Rule):
    """An alert names its heading in the runbook and the dashboard that shows its cause."""
    assert alert.annotations["runbook_url"].endswith(f"monitoring/runbook.md#{alert.name.lower()}")
    assert alert.annotations["dashboard"] in DASHBOARDS


@every_alert
def test_alert_is_proved_silent_and_firing(alert: Rule):
    """In one and the same promtool test an alert is silent at one moment and fires at another."""
    cases = [case for case in read_alert_cases() if case.alert == alert.name]
    firing = {case.test for case in cases if case.is_firing}
    silent = {case.test for case in cases if not case.is_firing}

    # What always fires has no silence to prove.
    assert firing & silent or (alert.name == "Watchdog" and firing)
