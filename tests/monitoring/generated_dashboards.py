"""The dashboards that Grafana reads, and the questions that are in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "monitoring" / "grafana" / "dashboards"

# What Grafana puts in place of the variables that are its own or the reader's.
_VARIABLE_VALUES = {
    "$instance": ".*",
    "$model_version": ".*",
    "$model_name": ".*",
    "$container": ".+",
    "$__range": "15m",
}


@dataclass(frozen=True)
class Panel:
    """A panel and the dashboard it is on."""

    dashboard: str
    json: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.json['title']}"

    @property
    def queries(self) -> list[str]:
        """What it asks Prometheus, with values in place of variables."""
        return self.ask()

    def ask(self, rate_interval: str = "1m") -> list[str]:
        """Give its questions, for a Prometheus whose scrapes are so frequent that rates can be taken over this."""
        return [fill_in(target["expr"], rate_interval) for target in self.json["targets"]]


def read_dashboards() -> dict[str, dict[str, Any]]:
    """Read every dashboard, by the name of its file without the ending."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def read_panels() -> list[Panel]:
    """Read every panel that shows something: all but the headings between them."""
    return [
        Panel(name, panel)
        for name, dashboard in read_dashboards().items()
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    ]


def read_other_queries() -> dict[str, str]:
    """Read what annotations and variables ask Prometheus; of ``label_values`` the series."""
    return {
        f"{name}: {title}": fill_in(expression)
        for name, dashboard in read_dashboards().items()
        for title, expression in _queries_beside_panels(dashboard)
    }


def fill_in(expression: str, rate_interval: str = "1m") -> str:
    """Put values in place of variables.

    Examples
    --------
    >>> fill_in('rate(a{instance=~"$instance"}[$__rate_interval])')
    'rate(a{instance=~".*"}[1m])'
    """
    values = _VARIABLE_VALUES | {"$__rate_interval": rate_interval}
    filled = re.sub(r"\$\w+", lambda match: values[match.group()], expression)
    assert "$" not in filled, f"{filled}: a variable in a form that tests do not know"
    return filled


def _queries_beside_panels(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is asked besides panels, each with its name."""
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in dashboard["templating"].get("list", []):
        match = re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])
        assert match, f"{variable['name']} asks for something else than values of a label"
        yield variable["name"], match.group(1)
