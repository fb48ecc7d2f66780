"""The page that explains a file: which columns matter to the model, and why the most abnormal rows are abnormal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.model.bundle import Bundle
from app.model.explain import Explainer
from app.model.explained_rows import explain_rows
from app.model.forest import OUTLIER
from training.data.dataset import Dataset
from training.figures.importance import importance_figure
from training.fitting.evaluate import Evaluation, evaluate
from training.pages.page import SelfContainedPage

EXPLANATION_FILE = "explanation.html"

# As many as a person looks at one by one.
N_ROWS_SHOWN = 20

# The contributions of so many rows at once fit into some megabytes.
_BLOCK_ROWS = 10_000


@dataclass(frozen=True)
class ExplainedFile:
    """A file with the answers of a model and what they are due to.

    Parameters
    ----------
    bundle, data, evaluation
        The model, the rows, and their scores and labels.
    importance
        For each column the mean absolute contribution over all rows, shape ``(n_features,)``.
    importance_flagged
        The same over outliers; zeros if there are none.
    """

    bundle: Bundle
    data: Dataset
    evaluation: Evaluation
    importance: NDArray[np.float64]
    importance_flagged: NDArray[np.float64]


def explain_file(bundle: Bundle, data: Dataset) -> ExplainedFile:
    """Score the rows of a file and compute how much each column matters.

    Raises
    ------
    CannotExplain
        If the bundle is of format 1.
    """
    explainer: Explainer = bundle.explainer
    evaluation = evaluate(bundle.forest, data.rows)
    is_flagged = evaluation.labels == OUTLIER
    totals = np.zeros((2, len(data.names)))
    for first in range(0, len(data), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        sizes = np.abs(explainer.contributions(data.rows[block].astype(np.float32)))
        totals += sizes.sum(0), sizes[is_flagged[block]].sum(0)
    every, flagged = totals
    return ExplainedFile(bundle, data, evaluation, every / len(data), flagged / max(1, evaluation.n_flagged))


def compose_explanation_page(explained: ExplainedFile) -> str:
    """Render the page.

    Parameters
    ----------
    explained
        The file.

    Returns
    -------
    HTML.
    """
    bundle, data, evaluation = explained.bundle, explained.data, explained.evaluation
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
    table = _tabulate_importance(explained)
    page.add_figures([importance_figure(table)], wide=True)
    page.add_table(table)
    page.begin_section("The most abnormal rows")
    page.add_paragraph(
        "Rows are counted from 1, without the header. Reasons are the columns that make a row most abnormal, the most "
        "important first. Equal rows are shown once; the p-value is the share of ordinary rows that are as abnormal."
    )
    page.add_table(_tabulate_rows(explained))
    return page.render()


def _tabulate_importance(explained: ExplainedFile) -> pd.DataFrame:
    """Tabulate the importance of each column, the most important for outliers first."""
    table = pd.DataFrame(
        {"outliers": explained.importance_flagged, "all rows": explained.importance},
        index=pd.Index(explained.data.names, name="column"),
    )
    return table.sort_values(["outliers", "all rows"], ascending=False, kind="stable")


def _tabulate_rows(explained: ExplainedFile) -> pd.DataFrame:
    """Tabulate the most abnormal rows with their reasons."""
    rows, scores = explained.data.rows.astype(np.float32), explained.evaluation.scores
    # Many copies of one row would fill the table.
    _, firsts, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    order = np.lexsort((firsts, scores[firsts]))[:N_ROWS_SHOWN]
    places = firsts[order]
    fields = explain_rows(explained.bundle.explainer, rows[places], scores[places])
    return pd.DataFrame(
        {
            "copies": counts[order],
            "label": np.where(explained.evaluation.labels[places] == OUTLIER, "outlier", "inlier"),
            "score": scores[places],
            "p-value": ["unknown" if each["p_value"] is None else f"{each['p_value']:.3g}" for each in fields],
            "reasons": ["; ".join(each["reasons"]) for each in fields],
        },
        index=pd.Index(places + 1, name="row"),
    )
