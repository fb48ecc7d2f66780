"""The page that shows how a file of rows differs from the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from training.data.dataset import Dataset
from training.drift.column_change import SIGNIFICANCE, FeatureChange
from training.drift.compare import DriftComparison, conclude, format_p_value, judge
from training.figures.histogram import overlay_figure, stability_figure
from training.pages.page import SelfContainedPage

DRIFT_FILE = "drift.html"


def compose_drift_page(comparison: DriftComparison) -> str:
    """Render the page.

    Parameters
    ----------
    comparison
        The result of the comparison.

    Returns
    -------
    HTML.
    """
    page = SelfContainedPage(f"{comparison.current.path.name} against {comparison.reference.path.name}")
    page.begin_section("Results")
    for sentence in conclude(comparison):
        page.add_paragraph(sentence)
    _add_file(page, "reference", comparison.reference)
    _add_file(page, "current", comparison.current)
    page.begin_section("Each feature")
    page.add_table(_tabulate(comparison))
    _add_whole_rows(page, comparison)
    page.begin_section("Histograms")
    page.add_paragraph(
        "The largest distance first; all rows are counted. Levels are drawn once, numbers twice: in bins of equal "
        "width, and in the bins of the PSI, which hold about equally many rows of the reference each, with a separate "
        "bin for each value that many rows share."
    )
    page.add_figures([figure for change in comparison.features for figure in _draw(comparison, change)])
    _add_explanation(page, comparison)
    return page.render()


def _draw(comparison: DriftComparison, change: FeatureChange) -> list[go.Figure]:
    """Draw a feature: levels once, numbers twice; missing ones are in the bins of the PSI only."""
    stability = stability_figure(change.name, change.stability, change.labels)
    files = [_only_present(data, change.name) for data in (comparison.reference, comparison.current)]
    if change.labels or not all(map(len, files)):
        return [stability]
    return [overlay_figure(files[0], files[1], change.name, _describe_distance(change)), stability]


def _only_present(data: Dataset, name: str) -> Dataset:
    """Return the rows that have a number in a column."""
    is_present = ~np.isnan(data.column(name))
    return data if is_present.all() else replace(data, rows=data.rows[is_present])


def _add_file(page: SelfContainedPage, called: str, data: Dataset) -> None:
    """Describe a file."""
    page.add_paragraph(f"{data.path.name} ({called}): {len(data):,} rows; sha256 {data.sha256}.")


def _tabulate(comparison: DriftComparison) -> pd.DataFrame:
    """Tabulate one line per feature, the largest distance first."""
    features = comparison.features
    return pd.DataFrame(
        {
            "changed": [judge(change, comparison.min_effect) for change in features],
            "KS distance": [change.distance for change in features],
            "p": [format_p_value(change.p_value) for change in features],
            "corrected p": [format_p_value(change.corrected_p_value) for change in features],
            "PSI": [change.stability.index for change in features],
            "PSI threshold": [change.stability.threshold for change in features],
            "median, reference": [change.medians[0] for change in features],
            "median, current": [change.medians[1] for change in features],
            "shift (spreads)": [change.shift for change in features],
        },
        index=pd.Index([change.name for change in features], name="feature"),
    )


def _add_whole_rows(page: SelfContainedPage, comparison: DriftComparison) -> None:
    """Add the result for whole rows."""
    whole_rows = comparison.whole_rows
    page.begin_section("All features together")
    page.add_table(
        pd.DataFrame(
            {
                "squared MMD": [whole_rows.discrepancy],
                "by chance": [whole_rows.by_chance],
                "MMD beyond chance": [whole_rows.effect],
                "p": [format_p_value(whole_rows.p_value)],
                "corrected p": [format_p_value(comparison.corrected_p_of_whole_rows)],
                "reference rows": [whole_rows.n_reference],
                "current rows": [whole_rows.n_current],
            },
            index=pd.Index(["whole rows"]),
        )
    )


def _describe_distance(change: FeatureChange) -> str:
    """Describe in a line how far a feature moved."""
    return f"KS distance {change.distance:.3f}, corrected p {format_p_value(change.corrected_p_value)}"


def _add_explanation(page: SelfContainedPage, comparison: DriftComparison) -> None:
    """Explain the figures."""
    page.begin_section("How to read it")
    for text in (
        f"A feature changed if its corrected p-value is below {SIGNIFICANCE:g} and its KS distance above "
        f'{comparison.min_effect:g}; "little" means significant but no farther than that. With many rows '
        "even the smallest difference is significant, so look at the distance first.",
        "KS distance: the largest difference between the shares of rows up to any value, from 0 to 1. Its p-value "
        "counts all permutations of the rows with a larger distance, and half of those with the same one, so equal "
        "values do not distort it.",
        "Of categories and booleans, this distance is the total variation: the share of rows that would have to change "
        "their level. Its p-value is the share of random permutations of all rows with at least this distance. Levels "
        "that the reference lacks count as one, and missing values as another; missing numbers count as the smallest.",
        "Features and whole rows share an error rate of 5 %: p-values of features are corrected by Holm's method and "
        "doubled, and that of whole rows is doubled. So unchanged files are reported as changed in at most about 5 % "
        "of all cases, however many features there are.",
        "PSI: the population stability index over about ten bins of the reference, or fewer if there are few "
        "rows. One unchanged feature in twenty exceeds its threshold at these numbers of rows. A constant threshold "
        "would not work: of unchanged samples of 100 rows in ten bins, about 83 % are above 0.1.",
        "Shift: from the median of the reference to the current one, in spreads of the reference. The spread is the "
        "interquartile range or, where that is 0 because many rows share a value, the range of the middle 80 %, 90 %, "
        "98 % or all of the rows.",
        "MMD: how different whole rows are, even if each feature alone looks the same. Its p-value is the share of "
        'random permutations of all rows with at least the same distance; "by chance" is their average.',
        "All p-values assume that rows are independent. Rows that follow each other in time often are not, and then "
        "look changed too easily.",
    ):
        page.add_paragraph(text)
