"""Positions of panels on Grafana's grid."""

from __future__ import annotations

from itertools import count

from grafana_foundation_sdk.builders import bargauge, gauge, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.dashboard import GridPos

PanelBuilder = timeseries.Panel | stat.Panel | gauge.Panel | bargauge.Panel | table.Panel

# Grafana's grid has 24 columns; a unit of height is 30 pixels, plus a gap of 8.
COLUMNS = 24


class Grid:
    """Adds panels to a dashboard from top to bottom, with consecutive ids.

    Parameters
    ----------
    dashboard
        The dashboard.

    Examples
    --------
    >>> from monitoring.dashboards.latest_values import number
    >>> dashboard = Dashboard("Example")
    >>> Grid(dashboard).add_panels(4, number("A", "", "none"), number("B", "", "none"))
    >>> [(panel.id_val, panel.grid_pos.x, panel.grid_pos.w) for panel in dashboard.build().panels]
    [(1, 0, 12), (2, 12, 12)]
    """

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._ids = count(1)
        self._top = 0

    def add_row(self, title: str) -> None:
        """Start a collapsible row with a title."""
        # The SDK computes a position for anything at (0, 0); for the first row that is (0, 0) again.
        row = Row(title).id(next(self._ids)).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=self._top))
        self._dashboard.with_row(row)
        self._top += 1

    def add_panels(self, height: int, *panels: PanelBuilder, widths: tuple[int, ...] | None = None) -> None:
        """Add panels side by side.

        Parameters
        ----------
        height
            In grid units.
        panels
            From left to right.
        widths
            Columns of each panel; all are equally wide by default.
        """
        widths = widths or (COLUMNS // len(panels),) * len(panels)
        if len(widths) != len(panels) or sum(widths) != COLUMNS:
            raise ValueError(f"{len(panels)} panels of widths {widths} do not fill {COLUMNS} columns; fix the widths.")
        left = 0
        for panel, width in zip(panels, widths, strict=True):
            position = GridPos(h=height, w=width, x=left, y=self._top)
            self._dashboard.with_panel(panel.id(next(self._ids)).grid_pos(position))
            left += width
        self._top += height
