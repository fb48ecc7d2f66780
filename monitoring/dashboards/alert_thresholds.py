"""The numbers that alerts compare with, as lines and as colours, so that a dashboard and an alert never disagree.

They are read from the rules that record them, when the dashboards are generated.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

from monitoring.dashboards import colours
from monitoring.dashboards.queries import query

_RULES = Path(__file__).resolve().parents[1] / "prometheus" / "rules" / "thresholds.yml"

# What the lines are called in legends; graphs draw lines of these names dashed.
ALERTS_ABOVE, ALERTS_BELOW = "alerts above", "alerts below"

# A first alarm of a drift detector: nothing fires before the windows after it confirm it.
ALARM_LINE = "alarm line"

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def threshold(name: str) -> float:
    """Look up a threshold, in the unit that its name says.

    Examples
    --------
    >>> threshold("threshold:feedback_silence_seconds:max") / 86400
    3.0
    """
    return _number(ast.parse(_all_thresholds()[name], mode="eval").body)


def alert_line(name: str, unit_factor: float = 1) -> Dataquery:
    """Ask for a threshold as a line to draw, multiplied by what the panel's unit asks for."""
    factor = "" if unit_factor == 1 else f" * {unit_factor:g}"
    return query(f"{name}{factor}", ALERTS_BELOW if name.endswith(":min") else ALERTS_ABOVE)


def alarm_line() -> Dataquery:
    """Draw where drift detectors give a first alarm, beside statistics that are divided by their thresholds."""
    return query("vector(1)", ALARM_LINE)


def bad_above(limit: float, warning_share: float = 0.8) -> ThresholdsConfig:
    """Colour a number green, from a share of the limit on orange, and from the limit on red."""
    return _steps((None, colours.GOOD), (limit * warning_share, colours.WARNING), (limit, colours.BAD))


def bad_below(limit: float, warning: float) -> ThresholdsConfig:
    """Colour a number red, from the limit on orange, and from the warning on green."""
    return _steps((None, colours.BAD), (limit, colours.WARNING), (warning, colours.GOOD))


def neither_good_nor_bad() -> ThresholdsConfig:
    """Colour a number that no alert asks about."""
    return _steps((None, colours.NEUTRAL))


def on_a_wall(thresholds: ThresholdsConfig) -> ThresholdsConfig:
    """Take darker shades, for a background on which the number is white."""
    steps = thresholds.build().steps
    return _steps(*((step.value, colours.ON_A_WALL.format(step.color)) for step in steps))


def _steps(*steps: tuple[float | None, str]) -> ThresholdsConfig:
    """Colour numbers from a value on; the first colour has none."""
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=colour) for value, colour in steps])
    )


@cache
def _all_thresholds() -> dict[str, str]:
    """Read what is recorded under names that are unique.

    A name with several labels, and what is no number but a setting of the service, is drawn and never looked up.
    """
    groups = yaml.safe_load(_RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["record"]: str(rule["expr"]) for group in groups for rule in group["rules"]}


def _number(expression: ast.expr) -> float:
    """Work out a calculation with plain numbers, in which Python and PromQL agree."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, int | float):
        return float(expression.value)
    if isinstance(expression, ast.BinOp) and type(expression.op) in _OPERATORS:
        return _OPERATORS[type(expression.op)](_number(expression.left), _number(expression.right))
    raise ValueError(
        f"monitoring/prometheus/rules/thresholds.yml: {ast.unparse(expression)} is no calculation with plain numbers; "
        "write it as one, so that dashboards can show it."
    )
