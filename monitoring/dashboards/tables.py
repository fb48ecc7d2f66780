"""Series as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from monitoring.dashboards.queries import PROMETHEUS, lettered


def rows(
    title: str,
    description: str,
    queries: Sequence[Dataquery],
    columns: Mapping[str, str],
    *,
    unit: str,
    if_none: str,
    decimals: int | None = None,
    joined_by: str = "",
    widths: Mapping[str, int] | None = None,
    largest_first: str = "",
) -> table.Panel:
    """List series, one row each.

    Parameters
    ----------
    title, description, decimals
        As in ``graphs.graph``.
    queries
        Made with ``rows_now``.
    columns
        The labels to show, in this order, each with its heading; ``Value`` is the value, and ``Value #A``,
        ``Value #B`` are those of several queries.
    unit
        Of the values.
    if_none
        What is said when there is no series.
    joined_by
        The label by which rows of several queries are one row.
    widths
        In pixels, by heading, where what is in a column would be cut off.
    largest_first
        The heading of the column that rows are sorted by; without one, as Prometheus gives them.
    """
    transformations = [
        DataTransformerConfig("filterFieldsByName", options={"include": {"names": list(columns)}}),
        DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {},
                "indexByName": {label: position for position, label in enumerate(columns)},
                "renameByName": dict(columns),
            },
        ),
    ]
    if joined_by:
        transformations.insert(0, DataTransformerConfig("joinByField", options={"byField": joined_by, "mode": "outer"}))
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .targets(lettered(queries))
        .no_value(if_none)
        .transformations(transformations)
    )
    for label, heading in columns.items():
        if not label.startswith("Value"):
            # Some labels look like numbers, and are none.
            panel = panel.override_by_name(heading, [DynamicConfigValue("unit", "string")])
    for heading, width in (widths or {}).items():
        panel = panel.override_by_name(heading, [DynamicConfigValue("custom.width", width)])
    if largest_first:
        panel = panel.sort_by([TableSortByFieldState().display_name(largest_first).desc(True)])
    return panel if decimals is None else panel.decimals(decimals)
