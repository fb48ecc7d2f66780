"""Where panels stand on the grid."""

from __future__ import annotations

from itertools import count

from grafana_foundation_sdk.builders import bargauge, gauge, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.dashboard import GridPos

PanelBuilder = timeseries.Panel | stat.Panel | gauge.Panel | bargauge.Panel | table.Panel

# Grafana's grid has 24 columns; a unit of height is 30 pixels and a gap of 8.
COLUMNS = 24


class Grid:
    """Puts panels onto a dashboard from top to bottom, and numbers them.

    Parameters
    ----------
    dashboard
        The dashboard.

    Examples
    --------
    >>> from monitoring.dashboards.numbers import number
    >>> dashboard = Dashboard("Example")
    >>> Grid(dashboard).line(4, number("A", "", "none"), number("B", "", "none"))
    >>> [(panel.id_val, panel.grid_pos.x, panel.grid_pos.w) for panel in dashboard.build().panels]
    [(1, 0, 12), (2, 12, 12)]
    """

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._numbers = count(1)
        self._top = 0

    def heading(self, title: str) -> None:
        """Begin a part of the dashboard that can be folded up."""
        # The builder moves what stands at 0, 0; a heading there belongs there.
        row = Row(title).id(next(self._numbers)).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=self._top))
        self._dashboard.with_row(row)
        self._top += 1

    def line(self, height: int, *panels: PanelBuilder, widths: tuple[int, ...] | None = None) -> None:
        """Put panels side by side.

        Parameters
        ----------
        height
            In units of the grid.
        panels
            From left to right.
        widths
            Columns of each; by default all are equally wide.
        """
        widths = widths or (COLUMNS // len(panels),) * len(panels)
        if len(widths) != len(panels) or sum(widths) != COLUMNS:
            raise ValueError(f"widths {widths} of {len(panels)} panels do not fill {COLUMNS} columns; mend them.")
        left = 0
        for panel, width in zip(panels, widths, strict=True):
            place = GridPos(h=height, w=width, x=left, y=self._top)
            self._dashboard.with_panel(panel.id(next(self._numbers)).grid_pos(place))
            left += width
        self._top += height
