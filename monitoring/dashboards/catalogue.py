"""The list of dashboards, and their JSON. Add new dashboards here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards import at_a_glance, containers, drift, predictions, quality, service, training

# By file name, without ".json".
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "at_a_glance": at_a_glance.build,
    "service": service.build,
    "predictions": predictions.build,
    "drift": drift.build,
    "quality": quality.build,
    "training": training.build,
    "containers": containers.build,
}

# The SDK puts every link and every annotation switch into a menu, and has no option for another place.
_HIDDEN_IN_MENU = ("placement", "inControlsMenu")


def generate() -> dict[str, str]:
    """Return the JSON of every dashboard, by file name.

    Examples
    --------
    >>> sorted(generate())[0]
    'at_a_glance.json'
    """
    return {f"{name}.json": to_json(build()) for name, build in DASHBOARDS.items()}


def to_json(dashboard: Dashboard) -> str:
    """Serialize a dashboard; the same dashboard always results in the same bytes.

    Examples
    --------
    >>> '"refresh": "5s"' in to_json(Dashboard("Example").refresh("5s"))
    True
    """
    built = json.loads(JSONEncoder().encode(dashboard.build()))
    # Sorted keys keep diffs small: they show only what changed in the source.
    return json.dumps(_remove_hiding(built), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _remove_hiding(value: Any) -> Any:
    """Remove the setting that hides links and annotations in a menu, at any depth."""
    if isinstance(value, dict):
        return {key: _remove_hiding(inner) for key, inner in value.items() if (key, inner) != _HIDDEN_IN_MENU}
    return [_remove_hiding(inner) for inner in value] if isinstance(value, list) else value
