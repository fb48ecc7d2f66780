"""The page that explains a file: which columns matter to the model, and why the most abnormal rows are abnormal."""

from __future__ import annotations

import pandas as pd

from app.model.bundle import Bundle
from training.data.dataset import Dataset
from training.figures.importance import importance_figure
from training.fitting.evaluate import evaluate
from training.fitting.explain import AbnormalRow, Importance, explain_most_abnormal, measure_importance
from training.pages.page import SelfContainedPage

EXPLANATION_FILE = "explanation.html"


def explain_file(bundle: Bundle, data: Dataset) -> str:
    """Score and explain the rows of a file.

    Returns
    -------
    The page, as HTML.

    Raises
    ------
    CannotExplain
        If the bundle is of format 1.
    """
    explainer = bundle.explainer
    evaluation = evaluate(bundle.forest, data.rows)
    page = SelfContainedPage(f"Explanation of {data.path.name}")
    page.begin_section("Importance of the columns")
    page.add_paragraph(
        f"{data.path.name}: {len(data):,} rows, of which {evaluation.n_flagged:,} are outliers to "
        f"{bundle.name} {bundle.version}; sha256 {data.sha256}."
    )
    page.add_paragraph(
        "The importance of a column is the mean absolute value of its contributions: how much it moves "
        "log2(-anomaly_score), in either direction. Columns that matter more for outliers than for all rows are those "
        "that raise alarms."
    )
    table = _tabulate_importance(measure_importance(explainer, data, evaluation))
    page.add_figures([importance_figure(table)], wide=True)
    page.add_table(table)
    page.begin_section("The most abnormal rows")
    page.add_paragraph(
        "Rows are counted from 1, without the header. Reasons are the columns that make a row most abnormal, the most "
        "important first. Equal rows are shown once; the p-value is the share of ordinary rows that are as abnormal."
    )
    page.add_table(_tabulate_rows(explain_most_abnormal(explainer, data, evaluation)))
    return page.render()


def _tabulate_importance(importance: Importance) -> pd.DataFrame:
    """Tabulate the importance of each column."""
    return pd.DataFrame(
        {"outliers": importance.of_outliers, "all rows": importance.of_all},
        index=pd.Index(importance.names, name="column"),
    )


def _tabulate_rows(rows: list[AbnormalRow]) -> pd.DataFrame:
    """Tabulate the most abnormal rows with their reasons."""
    p_values = [row.fields["p_value"] for row in rows]
    return pd.DataFrame(
        {
            "copies": [row.copies for row in rows],
            "label": ["outlier" if row.is_outlier else "inlier" for row in rows],
            "score": [row.score for row in rows],
            "p-value": ["unknown" if p_value is None else f"{p_value:.3g}" for p_value in p_values],
            "reasons": ["; ".join(row.fields["reasons"]) for row in rows],
        },
        index=pd.Index([row.number for row in rows], name="row"),
    )
