"""Each shipped alert has one cause, or a reason for having none."""

from collections import Counter

from loadtest.drill.alert_rules import alert_rules, read_rule_files
from loadtest.drill.changed_thresholds import CHANGED
from loadtest.drill.configurations import RULES
from loadtest.drill.plan import ALWAYS, NOT_DRIVEN, PHASES, rules_of, unplanned

SHIPPED = read_rule_files(RULES)
ALERTS = alert_rules(SHIPPED.values())
CAUSES = [cause for phase in PHASES for cause in phase]


def test_every_shipped_alert_is_planned():
    """A new alert needs a cause, or a reason for having none."""
    assert unplanned(ALERTS) == []


def test_no_alert_is_planned_twice():
    """A second cause could find the alert still firing from the first."""
    named = Counter([ALWAYS.name, *NOT_DRIVEN, *(alert for cause in CAUSES for alert in cause.alerts)])
    assert [alert for alert, times in named.items() if times > 1] == []


def test_the_plan_names_only_alerts_that_are_shipped():
    """A renamed or removed alert is detected."""
    named = {ALWAYS.name, *NOT_DRIVEN, *(alert for cause in CAUSES for alert in cause.alerts)}
    assert named == {rule.name for rule in ALERTS}


def test_a_cause_triggers_every_window_of_its_alerts():
    """Rules that share a name but differ in their window have separate results."""
    [cause] = [cause for cause in CAUSES if "AvailabilityBudgetBurn" in cause.alerts]
    windows = [rule.window for rule in rules_of(cause, ALERTS) if rule.name == "AvailabilityBudgetBurn"]
    assert windows == ["1h", "6h", "1d", "3d"]


def test_rules_are_unique():
    """Name and window identify each alerting rule."""
    assert [rule for rule, times in Counter(ALERTS).items() if times > 1] == []


def test_changed_thresholds_exist():
    """A renamed threshold is detected; otherwise the drill would use the shipped value."""
    recorded = {rule.get("record") for file in SHIPPED.values() for group in file["groups"] for rule in group["rules"]}
    assert {threshold.record for threshold in CHANGED} <= recorded
