"""The drill's rules are the shipped ones with scaled times."""

import copy
import re

import pytest

from loadtest.drill.alert_rules import read_rule_files
from loadtest.drill.changed_thresholds import CHANGED, expressions
from loadtest.drill.configurations import RULES
from loadtest.drill.time_scaling import TimeScaling, duration_seconds, duration_text

SHIPPED = read_rule_files(RULES)
SCALING = TimeScaling(factor=1000, scrape_seconds=2)

# Only ranges in brackets and offsets may differ.
RANGE = re.compile(r"\[[^\]]*\]|(?<=\boffset )\w+")


@pytest.mark.parametrize(
    ("shipped", "expected"),
    [("5m", "8s"), ("1h", "8s"), ("8000s", "8s"), ("3h", "10800ms"), ("3d", "259200ms"), ("2d6h", "194400ms")],
)
def test_a_duration_is_divided_but_at_least_four_scrapes(shipped, expected):
    """Durations are divided by the factor; results below four scrapes become four scrapes."""
    assert SCALING.duration(shipped) == expected


@pytest.mark.parametrize(
    ("shipped", "expected"),
    [
        ("rate(a:b:ratio_rate5m[1d])", "rate(a:b:ratio_rate5m[86400ms])"),
        ("max_over_time(rate(a[3h])[2d:1m])", "max_over_time(rate(a[10800ms])[172800ms:8s])"),
        ("max_over_time(a[2d:])", "max_over_time(a[172800ms:])"),
        ("a offset 1d", "a offset 86400ms"),
        ("a offset -1d", "a offset -86400ms"),
        ('rate(a{path="x[3h]", b=~"[45].."}[3h])', 'rate(a{path="x[3h]", b=~"[45].."}[10800ms])'),
        ("15 * 60", "15 * 60"),
    ],
)
def test_only_ranges_subqueries_and_offsets_are_scaled(shipped, expected):
    """Names, matchers' strings and numbers are unchanged, whatever they look like."""
    assert SCALING.expression(shipped) == expected


def test_shipped_expressions_differ_in_ranges_and_changed_thresholds_only():
    """Apart from ranges, offsets and the changed thresholds, all expressions equal the shipped ones."""
    changed = set()
    for file in SHIPPED.values():
        for group, short_group in zip(file["groups"], SCALING.rules(file, expressions())["groups"], strict=True):
            for rule, short in zip(group["rules"], short_group["rules"], strict=True):
                if RANGE.sub("", str(rule["expr"])) != RANGE.sub("", short["expr"]):
                    changed.add(rule["record"])
    assert changed == {threshold.record for threshold in CHANGED}


def test_waits_are_scaled_and_the_rest_of_a_rule_is_unchanged():
    """``for`` and ``keep_firing_for`` are scaled like ranges; names, labels and annotations are as shipped."""
    waits = ("for", "keep_firing_for")
    n_waits = 0
    for file in SHIPPED.values():
        for group, short_group in zip(file["groups"], SCALING.rules(file, {})["groups"], strict=True):
            assert group["name"] == short_group["name"]
            for rule, short in zip(group["rules"], short_group["rules"], strict=True):
                for wait in set(waits) & set(rule):
                    n_waits += 1
                    assert duration_seconds(short[wait]) == max(8, duration_seconds(rule[wait]) / 1000)
                others = set(rule) - {"expr", *waits}
                assert {name: rule[name] for name in others} == {name: short[name] for name in set(short) & others}
    assert n_waits > 10


def test_range_of_an_alert_can_be_longer():
    """Its ``for`` is scaled as usual, and so are all other rules."""
    rules = [{"alert": name, "expr": "changes(a[15m]) > 1", "for": "1h"} for name in ("Restarting", "Other")]
    [group] = SCALING.rules({"groups": [{"name": "g", "rules": rules}]}, {}, {"Restarting": 75.0})["groups"]
    assert [(rule["expr"], rule["for"]) for rule in group["rules"]] == [
        ("changes(a[75s]) > 1", "8s"),
        ("changes(a[8s]) > 1", "8s"),
    ]


def test_group_intervals_are_removed():
    """A group's own interval would be longer than the drill's windows."""
    shipped = [group for file in SHIPPED.values() for group in file["groups"]]
    short = [group for file in SHIPPED.values() for group in SCALING.rules(file, {})["groups"]]
    assert any("interval" in group for group in shipped)
    assert not any("interval" in group for group in short)


def test_shipped_rules_are_not_changed_in_place():
    """The parsed rules can be scaled again with another factor."""
    before = copy.deepcopy(SHIPPED)
    for file in SHIPPED.values():
        SCALING.rules(file, expressions())
    assert before == SHIPPED


@pytest.mark.parametrize("seconds", [8, 10.8, 259.2, 0.5])
def test_durations_survive_a_round_trip(seconds):
    """Formatting and parsing a duration are inverse, to the millisecond."""
    assert duration_seconds(duration_text(seconds)) == pytest.approx(seconds)
