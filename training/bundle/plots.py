"""The pictures in a bundle: the boundary of a forest, and the distribution of its scores, drawn by Matplotlib."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font, get_font_names
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from app.model.forest import INLIER, OUTLIER, Forest
from training.bundle.boundary import BoundaryPlane
from training.console import warn
from training.data.dataset import Dataset
from training.fitting.evaluate import AUTO_THRESHOLD, Evaluation

# Inches; with the resolution, 1080 x 840 pixels: sharp in a report column, and small as a file.
_SIZE, _DOTS_PER_INCH = (9.0, 7.0), 120

# Nearly everybody can distinguish blue and red, even in print, where the red is darker.
_INLIER_COLOUR, _OUTLIER_COLOUR = "#2166ac", "#c62828"
_BOUNDARY_COLOUR, _INLIER_REGION, _ROW_COLOUR = "darkred", "#fdf3e1", "#333333"

# Steps between the boundary and the lowest score: enough to see a slope, few enough to distinguish the steps.
_LEVELS = 8

# The part of the colour map whose blues are soft enough for dots to be visible on them.
_SOFT_BLUES = colormaps["Blues"](np.linspace(0.65, 0.12, _LEVELS))

# Areas in square points: of a dot for one row, and what each tenfold number of rows adds.
_DOT_AREA, _DOT_GROWTH = 7.0, 14.0

# A longer name would push the plot aside.
_MAX_NAME_LENGTH = 40

# Fonts for names of features; a letter is drawn in the first that has it. Matplotlib brings the first, with Arabic and
# Hebrew; Debian packages the others as fonts-noto-cjk, fonts-symbola (emoji) and fonts-noto-core.
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Symbola", "Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai")

# Bars of a histogram: about 0.01 wide over the usual range of scores.
_BARS = 60


def boundary_figure(forest: Forest, rows: NDArray[np.float64], names: tuple[str, ...], title: str) -> Figure:
    """Draw a forest's decision function and the rows that it was trained on.

    Parameters
    ----------
    forest
        A forest of at least two features. With more, the two that it splits most often are drawn, with the others at
        their medians; the title says so.
    rows
        Training rows, shape ``(n_rows, n_features)``.
    names
        Feature names.
    title
        Title of the plot.

    Raises
    ------
    ValueError
        If there is only one feature.
    """
    return draw_training_rows(BoundaryPlane.of(forest, rows, names), forest.offset, rows, title)


def draw_training_rows(plane: BoundaryPlane, threshold: float, rows: NDArray[np.float64], title: str) -> Figure:
    """Draw training rows on a plane whose scores are known.

    Parameters
    ----------
    plane
        The plane with its scores.
    threshold
        Rows with a lower score are outliers, in [-1, 0].
    rows
        Shape ``(n_rows, n_features)``.
    title
        Title of the plot.
    """
    figure, axes, legend = _draw_plane(plane, threshold, title)
    legend.append(
        _draw_dots(axes, plane, rows, _ROW_COLOUR, f"training rows ({len(rows):,}; larger where many coincide)")
    )
    return _finish(figure, legend)


def draw_labelled_rows(
    plane: BoundaryPlane, threshold: float, rows: NDArray[np.float64], labels: NDArray[np.int64], title: str
) -> Figure:
    """Draw rows coloured by predicted label: inliers blue, outliers red.

    Parameters
    ----------
    plane
        The plane with its scores.
    threshold
        Rows with a lower score are outliers, in [-1, 0].
    rows
        Shape ``(n_rows, n_features)``.
    labels
        Shape ``(n_rows,)``: 1 inlier, -1 outlier.
    title
        Title of the plot.
    """
    figure, axes, legend = _draw_plane(plane, threshold, title)
    # Outliers last: they are few, and must not be hidden.
    for label, called, colour in ((INLIER, "inliers", _INLIER_COLOUR), (OUTLIER, "outliers", _OUTLIER_COLOUR)):
        chosen = rows[labels == label]
        legend.append(_draw_dots(axes, plane, chosen, colour, f"{called} ({len(chosen):,})"))
    return _finish(figure, legend)


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
    figure, axes = _begin(title)
    low, high = min(float(scores.min()), threshold), max(float(scores.max()), threshold)
    step = max((high - low) / _BARS, 1e-3)
    # The threshold is a bin edge, so that each bar has one colour. A score equal to the threshold is an inlier's.
    below = threshold - step * np.arange(np.ceil((threshold - low) / step) + 1)[::-1]
    above = threshold + step * np.arange(np.floor((high - threshold) / step) + 2)
    legend: list[Patch | Line2D] = []
    is_outlier = scores - threshold < 0
    for chosen, edges, called, colour in (
        (scores[~is_outlier], above, "inliers", _INLIER_COLOUR),
        (scores[is_outlier], below, "outliers", _OUTLIER_COLOUR),
    ):
        axes.stairs(np.histogram(chosen, edges)[0], edges, fill=True, color=colour)
        legend.append(Patch(color=colour, label=f"{called} ({len(chosen):,} of {len(scores):,})"))
    line = axes.axvline(threshold, color=_BOUNDARY_COLOUR, linewidth=2, label=f"threshold ({threshold:.4f})")
    # A few outliers among many thousand rows would be invisible on a linear axis.
    axes.set_yscale("log")
    axes.set(
        xlim=(low - step, high + step),
        ylim=(0.7, None),
        xlabel="anomaly score (the lower, the more abnormal)",
        ylabel="rows (logarithmic)",
    )
    axes.grid(axis="y", alpha=0.3)
    return _finish(figure, [*legend, line])


def to_png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    written = io.BytesIO()
    with warnings.catch_warnings():
        # What no font has is drawn as boxes, which draw_pictures reports once.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(written, format="png", dpi=_DOTS_PER_INCH)
    return written.getvalue()


def _begin(title: str) -> tuple[Figure, Axes]:
    """Create an empty plot."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    # The labels take their fonts when they are made. Matplotlib would log each missing font at every use.
    with rc_context({"font.family": _installed_fonts()}):
        axes = figure.add_subplot()
    axes.set_title(title, parse_math=False, wrap=True)
    return figure, axes


def _draw_plane(plane: BoundaryPlane, threshold: float, title: str) -> tuple[Figure, Axes, list[Patch | Line2D]]:
    """Draw the decision function and its boundary; return the first entries of the legend too."""
    figure, axes = _begin(title + plane.describe_fixed_features())
    decision = plane.scores - threshold
    across, up = plane.scales
    across.apply(axes, "x")
    up.apply(axes, "y")
    # A dollar sign in a column's name does not start a formula.
    axes.set_xlabel(across.describe(_shorten(plane.shown_names()[0])), parse_math=False)
    axes.set_ylabel(up.describe(_shorten(plane.shown_names()[1])), parse_math=False)
    lowest, highest = float(decision.min()), float(decision.max())
    legend: list[Patch | Line2D] = []
    if lowest < 0:
        levels = np.linspace(lowest, 0, _LEVELS + 1)
        filled = axes.contourf(*plane.grid, decision, levels=levels, cmap=ListedColormap(_SOFT_BLUES))
        # Enough to distinguish numbers one step apart.
        digits = max(2, 1 - math.floor(math.log10(-lowest / _LEVELS)))
        bar = figure.colorbar(filled, ax=axes, format=f"%.{digits}f", ticks=levels, shrink=0.8)
        bar.set_label("decision function (below 0: outlier)")
    if highest >= 0:
        axes.contourf(*plane.grid, decision, levels=[0, max(highest, 1e-9) * 1.01], colors=[_INLIER_REGION])
        legend.append(Patch(facecolor=_INLIER_REGION, edgecolor="grey", label="inlier region"))
    crosses = lowest < 0 <= highest
    if crosses:
        axes.contour(*plane.grid, decision, levels=[0], colors=_BOUNDARY_COLOUR, linewidths=2)
    where = "decision function 0" if crosses else "none here"
    legend.append(Line2D([], [], color=_BOUNDARY_COLOUR, linewidth=2, label=f"boundary ({where})"))
    return figure, axes, legend


def _draw_dots(axes: Axes, plane: BoundaryPlane, rows: NDArray[np.float64], colour: str, called: str) -> Line2D:
    """Draw rows as dots, larger where many coincide; return the entry of the legend."""
    dots, counts = plane.place(rows)
    # Large dots first, so that they do not hide small ones.
    order = np.argsort(-counts, kind="stable")
    areas = _DOT_AREA + _DOT_GROWTH * np.log10(counts[order])
    across, up = dots[order].T
    axes.scatter(across, up, s=areas, c=colour, edgecolors="white", linewidths=0.4, clip_on=False, zorder=3)
    return Line2D([], [], linestyle="", marker="o", color=colour, markeredgecolor="white", label=called)


def _finish(figure: Figure, legend: list[Patch | Line2D]) -> Figure:
    """Add the legend below the plot, where it covers nothing."""
    figure.legend(handles=legend, loc="outside lower center", ncols=len(legend), frameon=False, fontsize="small")
    return figure


def _shorten(name: str) -> str:
    """Truncate a long name."""
    return name if len(name) <= _MAX_NAME_LENGTH else name[: _MAX_NAME_LENGTH - 3] + "..."


def _installed_fonts() -> list[str]:
    """Return those of ``_FONTS`` that are installed."""
    installed = set(get_font_names())
    return [family for family in _FONTS if family in installed]


def _report_boxes(names: Sequence[str]) -> None:
    """Print which characters of names no installed font has, and what to install, if there are any."""
    fonts = [get_font(findfont(family)) for family in _installed_fonts()]
    # Marks such as the joiner of emoji have no shape of their own.
    shown = (character for character in sorted(set("".join(names))) if character.isprintable())
    if boxes := "".join(letter for letter in shown if not any(font.get_char_index(ord(letter)) for font in fonts)):
        warn(
            f"no installed font has {boxes}: pictures show boxes instead; install fonts-noto-cjk (Chinese, Japanese, "
            "Korean), fonts-symbola (emoji) or fonts-noto-core, then train again."
        )


def draw_pictures(
    forest: Forest, contamination: object, sets: dict[str, tuple[Dataset, Evaluation]]
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

    Returns
    -------
    PNG files by name. A forest of one feature has no boundary to draw, only scores.
    """
    pictures = {}
    data, on_training = sets["train"]
    chosen = f"contamination {contamination}"
    if len(data.names) > 1:
        plane = BoundaryPlane.of(forest, data.rows, data.names)
        _report_boxes(plane.shown_names())
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
    return {file: to_png(figure) for file, figure in pictures.items()}


def _describe_flagged(scores: NDArray[np.float64], threshold: float, called: str) -> str:
    """Describe which share of the rows is flagged."""
    return f"{np.mean(scores - threshold < 0):.3%} of the {called} rows are outliers"
