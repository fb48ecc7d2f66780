"""Dashboard "Training": the resulting model and its scores."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, table
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units

from monitoring.dashboards.latest_values import bar_gauge, number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import query, running_or_last, table_query
from monitoring.dashboards.tables import series_table


def add_outcome(grid: Grid) -> None:
    """Add the panels on the result."""
    grid.add_row("Result")
    # High enough for nine quantiles and a header without scrolling.
    grid.add_panels(11, _inliers(), _validation(), _scores(), widths=(6, 9, 9))
    grid.add_panels(6, _fitted_trees(), _trees(), _depth(), _leaves(), _splits(), widths=(4, 4, 4, 4, 8))


def _inliers() -> bargauge.Panel:
    return bar_gauge(
        "Inlier ratio",
        "Share of training rows and of test rows that the model labels as inliers.",
        units.PercentUnit,
        query(running_or_last("training_inlier_ratio", by="set"), "{{set}}", fast_scrape=True),
        decimals=2,
    ).max(1)


def _validation() -> bargauge.Panel:
    return (
        bar_gauge(
            "Agreement with true labels",
            "How well the predicted labels match the true ones: of the test rows if they are labelled, otherwise of "
            "the training rows. Only with `--label`.",
            units.PercentUnit,
            query(running_or_last("training_validation", by="metric"), "{{metric}}", fast_scrape=True),
            decimals=1,
        )
        .max(1)
        .no_value("no true labels")
    )


def _scores() -> table.Panel:
    def of_set(name: str) -> Dataquery:
        return table_query(running_or_last("training_score_quantile", by="quantile", labels=f'set="{name}"'))

    return series_table(
        "Score quantiles",
        "Quantiles of the anomaly scores of training rows and test rows; lower is more abnormal. If they differ, the "
        "test rows do not resemble the training rows.",
        [of_set("train"), of_set("test")],
        {"quantile": "quantile", "Value #A": "training rows", "Value #B": "test rows"},
        unit=units.NoUnit,
        no_value="no training run",
        decimals=3,
        join_by="quantile",
    )


def _fitted_trees() -> stat.Panel:
    return number(
        "Fitted trees",
        "Trees that this training run has fitted so far.",
        units.LocaleFormat,
        # A run starts at 0 and ends, so the count itself is shown and not its rate.
        query(running_or_last("training_trees_total"), "trees", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _trees() -> stat.Panel:
    return number(
        "Trees",
        "Trees of the finished model.",
        units.LocaleFormat,
        query(running_or_last("ensemble_tree_count"), "trees", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _depth() -> stat.Panel:
    return number(
        "Maximum depth",
        "Edges from the root to the deepest leaf.",
        units.LocaleFormat,
        query(running_or_last("tree_max_depth"), "edges", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _leaves() -> stat.Panel:
    return number(
        "Leaves",
        "Leaves of all trees.",
        units.LocaleFormat,
        query(running_or_last("tree_leaf_count"), "leaves", fast_scrape=True),
        sparkline=False,
    )


def _splits() -> bargauge.Panel:
    return bar_gauge(
        "Splits by feature",
        "Share of splits for the five features with the most. Split features are chosen at random, so the shares "
        "should be similar; a feature with far fewer is often constant.",
        units.PercentUnit,
        query(running_or_last("feature_split_share", by="feature_name"), "{{feature_name}}", fast_scrape=True),
        decimals=1,
    ).max(1)
