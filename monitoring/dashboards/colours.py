"""Colours with the same meaning on every dashboard, as names of Grafana's palette."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

GOOD = "green"
WARNING = "orange"
BAD = "red"

# Neither good nor bad.
NEUTRAL = "blue"

# Marks for events in the audit trail.
AUDIT_TRAIL = "purple"

# A background on which white text is readable from afar; the normal shades are too light for that.
_WALL_SHADE = "dark-{}"

THRESHOLD = "red"

# By legend: a series has the same colour on every panel, regardless of what else is drawn there.
BY_LEGEND = {
    "success": GOOD,
    "invalid": WARNING,
    "error": BAD,
    "swapped": NEUTRAL,
    "refused": BAD,
    "4xx": WARNING,
    "5xx": BAD,
    "inlier": NEUTRAL,
    "outlier": WARNING,
    "mean": NEUTRAL,
    "p50": GOOD,
    "p95": WARNING,
    "p99": BAD,
    "cvm": NEUTRAL,
    "mmd": "purple",
    "score": "yellow",
    "outlier_rate": WARNING,
}

# By HTTP status, which ends a legend: shades of one colour, as there may be several routes.
BY_STATUS = {"2..": GOOD, "3..": NEUTRAL, "4..": WARNING, "5..": BAD}

# Ten steps, worst to best.
BAD_TO_GOOD = (
    "dark-red",
    "red",
    "light-red",
    "dark-orange",
    "orange",
    "light-orange",
    "dark-yellow",
    "yellow",
    "light-green",
    GOOD,
)


def for_wall(colour: str) -> str:
    """Return the shade of a colour for a wall screen.

    Examples
    --------
    >>> for_wall(GOOD)
    'dark-green'
    """
    return _WALL_SHADE.format(colour)


def shades(colour: str) -> DynamicConfigValue:
    """Assign shades of a colour, one for each series."""
    return DynamicConfigValue("color", {"mode": "shades", "fixedColor": colour})


def fixed(colour: str) -> DynamicConfigValue:
    """Assign a fixed colour, independent of the other series of a panel."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
