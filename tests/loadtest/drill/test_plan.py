"""Each shipped alert has one cause or one reason."""

from collections import Counter

from loadtest.drill.alert_rules import alert_rules, read_rule_files
from loadtest.drill.changed_thresholds import CHANGED
from loadtest.drill.configurations import RULES
from loadtest.drill.plan import ALWAYS, NOT_DRIVEN, PHASES, rules_of, unplanned

SHIPPED = read_rule_files(RULES)
ALERTS = alert_rules(SHIPPED.values())
CAUSES = [cause for phase in PHASES for cause in phase]


def test_every_shipped_alert_is_planned():
    """An alert that is added to the rules needs a cause, or a reason why it has none."""
    assert unplanned(ALERTS) == []


def test_no_alert_is_planned_twice():
    """A second cause would find the alert of the first, so each alert has one place."""
    named = Counter([ALWAYS.name, *NOT_DRIVEN, *(alert for cause in CAUSES for alert in cause.alerts)])
    assert [alert for alert, times in named.items() if times > 1] == []


def test_the_plan_names_only_alerts_that_are_shipped():
    """An alert that was renamed or removed is noticed."""
    named = {ALWAYS.name, *NOT_DRIVEN, *(alert for cause in CAUSES for alert in cause.alerts)}
    assert named == {rule.name for rule in ALERTS}


def test_a_cause_has_to_drive_every_window_of_its_alerts():
    """Rules of one name that differ in their window are lines of their own."""
    [cause] = [cause for cause in CAUSES if "AvailabilityBudgetBurn" in cause.alerts]
    windows = [rule.window for rule in rules_of(cause, ALERTS) if rule.name == "AvailabilityBudgetBurn"]
    assert windows == ["1h", "6h", "1d", "3d"]


def test_rules_can_be_told_apart():
    """Name and window tell each alerting rule from all others."""
    assert [rule for rule, times in Counter(ALERTS).items() if times > 1] == []


def test_changed_thresholds_are_recorded_ones():
    """A threshold that was renamed is noticed: the drill would go on with the shipped number."""
    recorded = {rule.get("record") for file in SHIPPED.values() for group in file["groups"] for rule in group["rules"]}
    assert {threshold.record for threshold in CHANGED} <= recorded
