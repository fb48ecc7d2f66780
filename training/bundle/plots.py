"""The pictures in a bundle: the forest's boundary, its scores, what each threshold would flag, and the columns."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from app.model.forest import Forest
from app.quality.intervals import wilson_interval
from training.bundle.boundary import BoundaryPlane
from training.bundle.boundary_plots import draw_labelled_rows, draw_training_rows
from training.bundle.picture import (
    INLIER_COLOUR,
    OUTLIER_COLOUR,
    THRESHOLD_COLOUR,
    begin,
    finish,
    report_boxes,
    shorten,
    to_png,
)
from training.data.dataset import Dataset
from training.fitting.evaluate import AUTO_THRESHOLD, Evaluation
from training.fitting.explain import Importance

# Bars of a histogram: about 0.01 wide over the usual range of scores.
_BARS = 60

# Enough thresholds for a curve without visible steps, few enough for an interval at each.
_THRESHOLDS = 200

# A threshold that flags more rows than this share serves nobody.
_MAX_SHARE = 0.25

_RECALL_COLOUR = "#2e7d32"

# A round number that everybody can scale to their own traffic.
ROWS_A_DAY = 24_000

# More bars cannot be read; the table below the picture has all columns.
_MAX_COLUMNS = 20


def score_histogram(scores: NDArray[np.float64], threshold: float, title: str) -> Figure:
    """Draw the histogram of scores, and the threshold below which rows are outliers.

    Parameters
    ----------
    scores
        Shape ``(n_rows,)``, in [-1, 0]: the lower, the more abnormal.
    threshold
        Rows with a lower score are outliers, in [-1, 0].
    title
        Title of the plot.
    """
    figure, axes = begin(title)
    low, high = min(float(scores.min()), threshold), max(float(scores.max()), threshold)
    step = max((high - low) / _BARS, 1e-3)
    # The threshold is a bin edge, so that each bar has one colour. A score equal to the threshold is an inlier's.
    below = threshold - step * np.arange(np.ceil((threshold - low) / step) + 1)[::-1]
    above = threshold + step * np.arange(np.floor((high - threshold) / step) + 2)
    legend: list[Patch | Line2D] = []
    is_outlier = scores - threshold < 0
    for chosen, edges, called, colour in (
        (scores[~is_outlier], above, "inliers", INLIER_COLOUR),
        (scores[is_outlier], below, "outliers", OUTLIER_COLOUR),
    ):
        axes.stairs(np.histogram(chosen, edges)[0], edges, fill=True, color=colour)
        legend.append(Patch(color=colour, label=f"{called} ({len(chosen):,} of {len(scores):,})"))
    line = axes.axvline(threshold, color=THRESHOLD_COLOUR, linewidth=2, label=f"threshold ({threshold:.4f})")
    # A few outliers among many thousand rows would be invisible on a linear axis.
    axes.set_yscale("log")
    axes.set(
        xlim=(low - step, high + step),
        ylim=(0.7, None),
        xlabel="anomaly score (the lower, the more abnormal)",
        ylabel="rows (logarithmic)",
    )
    axes.grid(axis="y", alpha=0.3)
    return finish(figure, [*legend, line])


def threshold_figure(
    evaluation: Evaluation, threshold: float, is_outlier: NDArray[np.bool_] | None, title: str
) -> Figure:
    """Draw how many alarms each threshold would raise, and with true labels its precision and recall.

    Parameters
    ----------
    evaluation
        Scores of rows.
    threshold
        The chosen threshold, in [-1, 0]; rows with a lower score are outliers.
    is_outlier
        True labels of the rows, shape ``(n_rows,)``; None if unknown.
    title
        Title of the plot.
    """
    scores = np.sort(evaluation.scores)
    highest = max(float(np.quantile(scores, _MAX_SHARE)), threshold)
    candidates = np.linspace(min(float(scores[0]), threshold), highest, _THRESHOLDS + 1)[1:]
    n_flagged = np.searchsorted(scores, candidates)
    figure, axes = begin(title)
    # A logarithmic axis has no zero; the curve starts with the first row that is flagged.
    share = np.where(n_flagged > 0, n_flagged / len(scores), np.nan)
    curve = axes.plot(candidates, share * ROWS_A_DAY, color=OUTLIER_COLOUR, drawstyle="steps-pre", linewidth=2)[0]
    curve.set_label("alarms a day")
    line = axes.axvline(threshold, color=THRESHOLD_COLOUR, linewidth=2, linestyle="--")
    line.set_label(f"this model's threshold ({threshold:.4f})")
    axes.set_yscale("log")
    axes.set(
        xlabel="threshold (rows with a lower score are outliers)",
        ylabel=f"alarms a day, of {ROWS_A_DAY:,} rows a day",
        # From half a row to all: where no candidate flags a row, the axis has no other limits.
        ylim=(ROWS_A_DAY / len(scores) / 2, ROWS_A_DAY * 1.1),
    )
    axes.grid(alpha=0.3)
    legend: list[Patch | Line2D] = [curve, line]
    if is_outlier is not None and is_outlier.any():
        n_caught = np.searchsorted(np.sort(evaluation.scores[is_outlier]), candidates)
        right = axes.twinx()
        right.set(ylim=(0, 1.02), ylabel="share, with 95 % interval")
        legend.append(_draw_share(right, candidates, n_caught, n_flagged, "precision", INLIER_COLOUR))
        n_outliers = np.full_like(n_caught, is_outlier.sum())
        legend.append(_draw_share(right, candidates, n_caught, n_outliers, "recall", _RECALL_COLOUR))
    return finish(figure, legend)


def _draw_share(
    axes: Axes,
    thresholds: NDArray[np.float64],
    hits: NDArray[np.intp],
    n_labels: NDArray[np.intp],
    called: str,
    colour: str,
) -> Line2D:
    """Draw a share with its 95 % interval where there are labels; return the entry of the legend."""
    known = n_labels > 0
    pairs = list(zip(hits[known].tolist(), n_labels[known].tolist(), strict=True))
    low, high = np.transpose([wilson_interval(caught, total) for caught, total in pairs])
    axes.fill_between(thresholds[known], low, high, color=colour, alpha=0.15, linewidth=0)
    return axes.plot(thresholds[known], [caught / total for caught, total in pairs], color=colour, label=called)[0]


def importance_picture(importance: Importance, title: str) -> Figure:
    """Draw two bars for each column: how much it matters for outliers, and for all rows."""
    names = [shorten(name) for name in importance.names[:_MAX_COLUMNS]]
    places = np.arange(len(names))
    figure, axes = begin(title)
    for offset, values, called, colour in (
        (-0.2, importance.of_outliers, "outliers", OUTLIER_COLOUR),
        (0.2, importance.of_all, "all rows", INLIER_COLOUR),
    ):
        axes.barh(places + offset, values[:_MAX_COLUMNS], height=0.38, color=colour, label=called)
    # A dollar sign in a column's name does not start a formula.
    axes.set_yticks(places, names, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("mean absolute contribution to log2(-anomaly_score)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    legend: list[Patch | Line2D] = [
        Patch(color=OUTLIER_COLOUR, label="outliers"),
        Patch(color=INLIER_COLOUR, label="all rows"),
    ]
    return finish(figure, legend)


def draw_pictures(
    forest: Forest, contamination: object, sets: dict[str, tuple[Dataset, Evaluation]], importance: Importance
) -> dict[str, bytes]:
    """Draw all pictures of a bundle.

    Parameters
    ----------
    forest
        The compiled forest.
    contamination
        Contamination that it was trained with: a share, or "auto".
    sets
        Rows and their evaluation: ``train`` and perhaps ``test``.
    importance
        The importance of the columns.

    Returns
    -------
    PNG files by name. A boundary is drawn for two columns only: with more, a plane through the space of the rows
    shows little of it.
    """
    pictures = {}
    data, on_training = sets["train"]
    chosen = f"contamination {contamination}"
    report_boxes(importance.names[:_MAX_COLUMNS])
    if len(data.names) == 2:
        plane = BoundaryPlane.of(forest, data.rows, data.names)
        base = _describe_flagged(on_training.scores, AUTO_THRESHOLD, "training")
        pictures["boundary_base.png"] = draw_training_rows(
            plane, AUTO_THRESHOLD, data.rows, f"Base model, contamination auto: {base}"
        )
        own = _describe_flagged(on_training.scores, forest.offset, "training")
        pictures["boundary.png"] = draw_training_rows(plane, forest.offset, data.rows, f"This model, {chosen}: {own}")
        if "test" in sets:
            test, on_test = sets["test"]
            own = _describe_flagged(on_test.scores, forest.offset, "test")
            pictures["boundary_test.png"] = draw_labelled_rows(
                plane, forest.offset, test.rows, on_test.labels, f"Test rows, {chosen}: {own}"
            )
    for name, called, file in (("train", "training", "scores.png"), ("test", "test", "scores_test.png")):
        if name in sets:
            scores = sets[name][1].scores
            title = f"Scores of the {called} rows, {chosen}"
            pictures[file] = score_histogram(scores, forest.offset, title)
    labelled = next((each for each in reversed(sets.values()) if each[0].labels is not None), sets["train"])
    labels = labelled[0].labels
    pictures["thresholds.png"] = threshold_figure(
        labelled[1],
        forest.offset,
        labels.is_outlier if labels is not None else None,
        f"What each threshold would flag, {'test' if labelled is sets.get('test') else 'training'} rows",
    )
    if len(data.names) > 1:
        pictures["importance.png"] = importance_picture(importance, "How much each column matters")
    return {file: to_png(figure) for file, figure in pictures.items()}


def _describe_flagged(scores: NDArray[np.float64], threshold: float, called: str) -> str:
    """Describe which share of the rows is flagged."""
    return f"{np.mean(scores - threshold < 0):.3%} of the {called} rows are outliers"
