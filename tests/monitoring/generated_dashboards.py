"""The generated dashboards and their queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "monitoring" / "grafana" / "dashboards"

# Values for Grafana's built-in variables and for those of the dashboards.
_VARIABLE_VALUES = {
    "$instance": ".*",
    "$model_version": ".*",
    "$model_name": ".*",
    "$container": ".+",
    "$__range": "15m",
}


@dataclass(frozen=True)
class Panel:
    """A panel and the name of its dashboard."""

    dashboard: str
    json: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.json['title']}"

    @property
    def queries(self) -> list[str]:
        """Its queries, with variables replaced by values."""
        return self.filled_queries()

    def filled_queries(self, rate_interval: str = "1m") -> list[str]:
        """Return its queries, with a value for ``$__rate_interval`` that spans several scrapes."""
        return [fill_in(target["expr"], rate_interval) for target in self.json["targets"]]


def read_dashboards() -> dict[str, dict[str, Any]]:
    """Read every dashboard, by file name without suffix."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def read_panels() -> list[Panel]:
    """Read all panels except row titles."""
    return [
        Panel(name, panel)
        for name, dashboard in read_dashboards().items()
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    ]


def read_other_queries() -> dict[str, str]:
    """Read the queries of annotations and variables; of ``label_values``, the series selector."""
    return {
        f"{name}: {title}": fill_in(expression)
        for name, dashboard in read_dashboards().items()
        for title, expression in _other_queries(dashboard)
    }


def fill_in(expression: str, rate_interval: str = "1m") -> str:
    """Replace variables by values.

    Examples
    --------
    >>> fill_in('rate(a{instance=~"$instance"}[$__rate_interval])')
    'rate(a{instance=~".*"}[1m])'
    """
    values = _VARIABLE_VALUES | {"$__rate_interval": rate_interval}
    filled = re.sub(r"\$\w+", lambda match: values[match.group()], expression)
    assert "$" not in filled, f"{filled}: unknown form of a variable"
    return filled


def _other_queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and expression of each annotation and variable."""
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in dashboard["templating"].get("list", []):
        match = re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])
        assert match, f"{variable['name']} is not a label_values query"
        yield variable["name"], match.group(1)
