"""What a colour means, the same on every dashboard; the names are those of Grafana's palette."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

GOOD = "green"
WARNING = "orange"
BAD = "red"

# For a number that is neither good nor bad.
NEUTRAL = "blue"

# Of marks for what people did, beside those for what happened.
ON_RECORD = "purple"

# White on it is read from afar; on the shade that is meant for lines it is not.
ON_A_WALL = "dark-{}"

# A line that no value should cross.
LIMIT = "red"

# By the name of a line: the same thing has the same colour on every panel, whatever else is drawn there.
OF_LINES = {
    "success": GOOD,
    "invalid": WARNING,
    "error": BAD,
    "swapped": NEUTRAL,
    "refused": BAD,
    "4xx": WARNING,
    "5xx": BAD,
    "inlier": NEUTRAL,
    "outlier": WARNING,
    "average": NEUTRAL,
    "p50": GOOD,
    "p95": WARNING,
    "p99": BAD,
    "cvm": NEUTRAL,
    "mmd": "purple",
    "score": "yellow",
    "outlier_rate": WARNING,
}

# For steps from the worst to the best, ten of them.
FROM_BAD_TO_GOOD = (
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


def fixed(colour: str) -> DynamicConfigValue:
    """Give a line a colour that does not depend on how many others there are."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
