"""A dashboard as the text that Grafana reads."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

# The builder hides every link and every switch of an annotation in a menu, and offers no other place.
_HIDDEN = ("placement", "inControlsMenu")


def as_json(dashboard: Dashboard) -> str:
    """Write a dashboard down: the same dashboard gives the same bytes.

    Examples
    --------
    >>> '"refresh": "5s"' in as_json(Dashboard("Example").refresh("5s"))
    True
    """
    built = json.loads(JSONEncoder().encode(dashboard.build()))
    # Sorted keys, so that a difference shows nothing but what the source changed.
    return json.dumps(_without_hiding(built), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _without_hiding(value: Any) -> Any:
    """Leave links and annotations where Grafana shows them by itself."""
    if isinstance(value, dict):
        return {key: _without_hiding(inner) for key, inner in value.items() if (key, inner) != _HIDDEN}
    return [_without_hiding(inner) for inner in value] if isinstance(value, list) else value
