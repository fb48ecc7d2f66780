"""Of the dashboard "Training": what came out, and what it says of the rows."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, table
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units

from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import bars, number
from monitoring.dashboards.queries import query, rows_now
from monitoring.dashboards.tables import rows
from monitoring.dashboards.training.latest import of_training


def add_outcome(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Outcome")
    # Nine quantiles and a heading are to be seen without scrolling.
    grid.line(11, _inliers(), _validation(), _scores(), widths=(6, 9, 9))
    grid.line(6, _trees_fitted(), _trees(), _depth(), _leaves(), _splits(), widths=(4, 4, 4, 4, 8))


def _inliers() -> bargauge.Panel:
    """How many rows are normal to the model."""
    return bars(
        "Inliers",
        "Share of the rows that the model labels inliers, of those that it was trained on and of the test rows.",
        units.PercentUnit,
        query(of_training("training_inlier_ratio", by="set"), "{{set}}", often=True),
        decimals=2,
    ).max(1)


def _validation() -> bargauge.Panel:
    """How well it finds known outliers."""
    return (
        bars(
            "Agreement with known labels",
            "How well the model finds the outliers that are known, from 0 to 1: of the test rows if theirs are known, "
            "else of the training rows. Only with `--label`.",
            units.PercentUnit,
            query(of_training("training_validation", by="metric"), "{{metric}}", often=True),
            decimals=1,
        )
        .max(1)
        .no_value("no labels are known")
    )


def _scores() -> table.Panel:
    """How scores are spread."""

    def of_set(name: str) -> Dataquery:
        return rows_now(of_training("training_score_quantile", by="quantile", labels=f'set="{name}"'))

    return rows(
        "Scores by quantile",
        "Quantiles of the anomaly scores, of the training rows and of the test rows: the lower, the more abnormal. "
        "Where the two differ, the test rows are of another kind.",
        [of_set("train"), of_set("test")],
        {"quantile": "quantile", "Value #A": "training rows", "Value #B": "test rows"},
        unit=units.NoUnit,
        if_none="no training is known",
        decimals=3,
        joined_by="quantile",
    )


def _trees_fitted() -> stat.Panel:
    """What was done."""
    return number(
        "Trees fitted",
        "Trees that this training has fitted.",
        units.LocaleFormat,
        # One training counts from 0 and ends: its count is the fact that is asked for, and no rate.
        query(of_training("training_trees_total"), "trees", often=True),
        decimals=0,
        sparkline=False,
    )


def _trees() -> stat.Panel:
    """How large the forest is."""
    return number(
        "Trees",
        "Trees of the finished model.",
        units.LocaleFormat,
        query(of_training("ensemble_tree_count"), "trees", often=True),
        decimals=0,
        sparkline=False,
    )


def _depth() -> stat.Panel:
    """How high it is."""
    return number(
        "Depth",
        "Edges from the root to the deepest leaf.",
        units.LocaleFormat,
        query(of_training("tree_max_depth"), "edges", often=True),
        decimals=0,
        sparkline=False,
    )


def _leaves() -> stat.Panel:
    """How fine it is."""
    return number(
        "Leaves",
        "Leaves of all trees together.",
        units.LocaleFormat,
        query(of_training("tree_leaf_count"), "leaves", often=True),
        sparkline=False,
    )


def _splits() -> bargauge.Panel:
    """What it looks at."""
    return bars(
        "Splits by feature",
        "Share of all splits that test a feature, for the five features with the most. Features that are drawn at "
        "random share alike; one far below is often constant.",
        units.PercentUnit,
        query(of_training("feature_split_share", by="feature_name"), "{{feature_name}}", often=True),
        decimals=1,
    ).max(1)
