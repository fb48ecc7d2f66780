"""Alert thresholds as lines and colours, so that dashboards and alerts always agree.

The values come from the recording rules in ``thresholds.yml``. Lines query them; colours read the file when the
dashboards are generated.
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

# Legends of threshold lines; graphs draw lines with these legends dashed.
ALERTS_ABOVE, ALERTS_BELOW = "alerts above", "alerts below"

# It is exceeded now and then while nothing changes; alerts are about drift events only.
DRIFT_THRESHOLD = "threshold"

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def threshold(name: str) -> float:
    """Return the value of a threshold, in the unit that its name states.

    Examples
    --------
    >>> threshold("threshold:feedback_silence_seconds:max") / 86400
    3.0
    """
    return _evaluate(ast.parse(_all_thresholds()[name], mode="eval").body)


def alert_line(name: str, unit_factor: float = 1) -> Dataquery:
    """Query a threshold as a line, multiplied by a factor that converts it to the panel's unit."""
    factor = "" if unit_factor == 1 else f" * {unit_factor:g}"
    return query(f"{name}{factor}", ALERTS_BELOW if ":min" in name else ALERTS_ABOVE)


def drift_threshold_line() -> Dataquery:
    """Draw the threshold of drift signals, for statistics that are divided by their thresholds."""
    return query("vector(1)", DRIFT_THRESHOLD)


def bad_above(limit: float, warning_ratio: float = 0.8) -> ThresholdsConfig:
    """Colour a number green, orange from a fraction of the limit on, and red from the limit on."""
    return _steps((None, colours.GOOD), (limit * warning_ratio, colours.WARNING), (limit, colours.BAD))


def bad_below(limit: float, warning: float) -> ThresholdsConfig:
    """Colour a number red, orange from the limit on, and green from the warning on."""
    return _steps((None, colours.BAD), (limit, colours.WARNING), (warning, colours.GOOD))


def neutral() -> ThresholdsConfig:
    """Colour a number that is neither good nor bad."""
    return _steps((None, colours.NEUTRAL))


def for_wall(thresholds: ThresholdsConfig) -> ThresholdsConfig:
    """Use darker shades, for a background behind white numbers."""
    steps = thresholds.build().steps
    return _steps(*((step.value, colours.for_wall(step.color)) for step in steps))


def _steps(*steps: tuple[float | None, str]) -> ThresholdsConfig:
    """Build thresholds from pairs of a lower limit and a colour; the first colour has no limit."""
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=colour) for value, colour in steps])
    )


@cache
def _all_thresholds() -> dict[str, str]:
    """Read the expression of each threshold.

    Of several rules with the same name only the last is returned, and one expression reads a metric of the service:
    those are only drawn as lines, never evaluated.
    """
    groups = yaml.safe_load(_RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["record"]: str(rule["expr"]) for group in groups for rule in group["rules"]}


def _evaluate(expression: ast.expr) -> float:
    """Evaluate arithmetic with plain numbers, for which Python and PromQL agree."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, int | float):
        return float(expression.value)
    if isinstance(expression, ast.BinOp) and type(expression.op) in _OPERATORS:
        return _OPERATORS[type(expression.op)](_evaluate(expression.left), _evaluate(expression.right))
    raise ValueError(
        f"monitoring/prometheus/rules/thresholds.yml: {ast.unparse(expression)} is not arithmetic with plain numbers; "
        "rewrite it so that dashboards can show its value."
    )
