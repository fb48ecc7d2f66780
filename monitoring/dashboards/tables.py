"""Tables with a row for each series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from monitoring.dashboards.queries import PROMETHEUS, with_ref_ids


def series_table(
    title: str,
    description: str,
    queries: Sequence[Dataquery],
    columns: Mapping[str, str],
    *,
    unit: str,
    no_value: str,
    decimals: int | None = None,
    join_by: str = "",
    widths: Mapping[str, int] | None = None,
    sort_descending_by: str = "",
) -> table.Panel:
    """Return a table with a row for each series.

    Parameters
    ----------
    title, description, decimals
        As in ``graphs.graph``.
    queries
        Made with ``table_query``.
    columns
        Labels in display order, with their headings. ``Value`` stands for the value, ``Value #A`` and ``Value #B`` for
        the values of several queries.
    unit
        Unit of the values.
    no_value
        Text in place of an empty table.
    join_by
        The label on which the results of several queries are joined.
    widths
        Pixels by heading, for columns whose content would be cut off.
    sort_descending_by
        Heading of the column to sort by, in descending order; unsorted by default.
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
    if join_by:
        transformations.insert(0, DataTransformerConfig("joinByField", options={"byField": join_by, "mode": "outer"}))
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .targets(with_ref_ids(queries))
        .no_value(no_value)
        .transformations(transformations)
    )
    for label, heading in columns.items():
        if not label.startswith("Value"):
            # Without it, Grafana formats labels that look like numbers.
            # Nor is a label that a series lacks a table without rows.
            text = [DynamicConfigValue("unit", "string"), DynamicConfigValue("noValue", "-")]
            panel = panel.override_by_name(heading, text)
    for heading, width in (widths or {}).items():
        panel = panel.override_by_name(heading, [DynamicConfigValue("custom.width", width)])
    if sort_descending_by:
        panel = panel.sort_by([TableSortByFieldState().display_name(sort_descending_by).desc(True)])
    return panel if decimals is None else panel.decimals(decimals)
