"""Plots show the boundary, the inlier region, all rows, a legend and a title."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from app.model.forest import Forest
from tests.conftest import draw_pixels
from training.bundle import picture as module
from training.bundle.boundary import BoundaryPlane
from training.bundle.boundary_plots import boundary_figure, draw_labelled_rows, draw_training_rows
from training.bundle.picture import to_png
from training.bundle.plots import draw_pictures, importance_picture, score_histogram, threshold_figure
from training.bundle.write import write_bundle
from training.data.dataset import Dataset
from training.fitting.compile import compile_forest
from training.fitting.evaluate import Evaluation, evaluate
from training.fitting.explain import Importance
from training.fitting.fit import ForestParameters, fit


@pytest.fixture(scope="module")
def forest(small_model) -> Forest:
    """Return the compiled forest of the small model."""
    return compile_forest(small_model.estimator)


@pytest.fixture(scope="module")
def plane(small_model, forest) -> BoundaryPlane:
    """Return the plane of the small model."""
    return BoundaryPlane.of(forest, small_model.training.rows, ("mean", "sd"))


def legend_of(figure: Figure) -> list[str]:
    """Return the texts of the legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def dots_of(figure: Figure) -> list[PathCollection]:
    """Return the dots of a plot."""
    return [part for part in figure.axes[0].collections if isinstance(part, PathCollection)]


def bars_of(figure: Figure) -> list[StepPatch]:
    """Return the bars of a plot."""
    return [part for part in figure.axes[0].patches if isinstance(part, StepPatch)]


def points_of(line: Line2D) -> list[tuple[float, float]]:
    """Return the points of a curve."""
    across, up = (np.asarray(values, dtype=np.float64).tolist() for values in line.get_data())
    return list(zip(across, up, strict=True))


def is_red(colours: object) -> bool:
    """Return whether the first of an array of colours is red rather than blue."""
    red, _, blue, _ = np.asarray(colours)[0]
    return bool(red > blue)


def test_boundary_is_drawn_with_the_training_rows(small_model, forest):
    """With two features, the axes have their names, the title is as given, and every row is a dot."""
    rows = small_model.training.rows

    figure = boundary_figure(forest, rows, ("mean", "sd"), "What was learnt")

    axes = figure.axes[0]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("What was learnt", "mean", "sd")
    assert legend_of(figure) == [
        "inlier region",
        "boundary (decision function 0)",
        "training rows (300; larger where many coincide)",
    ]
    [dots] = dots_of(figure)
    assert {*map(tuple, np.asarray(dots.get_offsets()).tolist())} <= {*map(tuple, rows.tolist())}
    assert figure.axes[1].get_ylabel() == "decision function (below 0: outlier)"


def test_other_features_are_named_in_the_title():
    """The title says that the plot is a cut through more dimensions."""
    rows = np.random.default_rng(1).normal(size=(100, 4))
    forest = compile_forest(fit(rows, ForestParameters(n_estimators=3)))

    title = boundary_figure(forest, rows, ("a", "b", "c", "d"), "Title").axes[0].get_title()

    assert title == "Title\nthe two features that are split most often; the other 2 at their medians"


def test_boundary_is_where_the_decision_changes(plane, forest):
    """The line is where the decision function changes sign; a lower threshold enlarges the inlier region."""
    rows = np.zeros((1, 2))

    def drawn_region(threshold: float) -> float:
        axes = draw_training_rows(plane, threshold, rows, "").axes[0]
        # The contour sets: score levels, inlier region, boundary.
        levels, region, line = (part for part in axes.collections if isinstance(part, QuadContourSet))
        assert np.asarray(levels.levels)[-1] == np.asarray(region.levels)[0] == np.asarray(line.levels)[0] == 0
        assert is_red(line.get_edgecolor())
        boxes = [path.get_extents() for path in region.get_paths()]
        return sum(box.width * box.height for box in boxes)

    assert drawn_region(forest.offset) < drawn_region(forest.offset - 0.05)


def test_rows_are_coloured_by_their_label(plane, forest, small_model):
    """Inliers are blue; outliers are red and on top."""
    rows = small_model.training.rows
    labels = forest.score_and_label(rows)[1]

    figure = draw_labelled_rows(plane, forest.offset, rows, labels, "Test rows")

    inliers, outliers = dots_of(figure)
    assert not is_red(inliers.get_facecolor())
    assert is_red(outliers.get_facecolor())
    is_outlier = {tuple(row): label == -1 for row, label in zip(rows.tolist(), labels, strict=True)}
    assert all(is_outlier[tuple(dot)] for dot in np.asarray(outliers.get_offsets()).tolist())
    assert legend_of(figure)[-2:] == ["inliers (270)", "outliers (30)"]


@pytest.mark.parametrize(("threshold", "legend"), [(-1.0, "inlier region"), (0.0, "boundary (none here)")])
def test_plane_without_a_boundary_is_drawn(plane, small_model, threshold, legend):
    """With only inliers or only outliers in the plane."""
    figure = draw_training_rows(plane, threshold, small_model.training.rows, "")

    assert legend in legend_of(figure)
    assert "boundary (none here)" in legend_of(figure)
    to_png(figure)


def test_histogram_is_coloured_by_the_threshold():
    """Each row is in one bar; a score equal to the threshold counts as an inlier."""
    scores = np.array([-0.7, -0.61, -0.6, -0.6, -0.4])

    figure = score_histogram(scores, -0.6, "Scores")

    (inliers, from_threshold, _), (outliers, to_threshold, _) = (bars.get_data() for bars in bars_of(figure))
    assert (inliers.sum(), outliers.sum()) == (3, 2)
    assert from_threshold[0] == to_threshold[-1] == -0.6
    assert legend_of(figure) == ["inliers (3 of 5)", "outliers (2 of 5)", "threshold (-0.6000)"]


@pytest.mark.parametrize("threshold", [-0.5, -0.7, -0.3])
def test_histogram_of_a_single_score(threshold):
    """If all rows are equal, they all have the same score."""
    figure = score_histogram(np.full(9, -0.5), threshold, "")

    assert sum(bars.get_data()[0].sum() for bars in bars_of(figure)) == 9
    to_png(figure)


def test_alarms_of_each_threshold_are_drawn():
    """As many a day as rows of 24,000 score below it; with labels also precision and recall."""
    random = np.random.default_rng(3)
    scores = np.round(random.uniform(-0.7, -0.4, 500), 3)
    evaluation = Evaluation(scores, np.where(scores < -0.69, -1, 1))
    is_outlier = random.random(500) < np.where(scores < -0.65, 0.7, 0.02)

    figure = threshold_figure(evaluation, -0.69, is_outlier, "Thresholds")

    alarms, line = figure.axes[0].lines
    precision, recall = figure.axes[1].lines
    assert points_of(line)[0][0] == -0.69
    for threshold, count in points_of(alarms):
        assert np.nan_to_num(count) == pytest.approx((scores < threshold).sum() / 500 * 24_000)
    for threshold, share in points_of(precision):
        assert share == pytest.approx(is_outlier[scores < threshold].mean())
    for threshold, share in points_of(recall):
        assert share == pytest.approx((scores[is_outlier] < threshold).mean())
    assert legend_of(figure)[-2:] == ["precision", "recall"]
    to_png(figure)


@pytest.mark.parametrize("is_outlier", [None, np.zeros(9, dtype=bool)], ids=["no labels", "no outlier"])
def test_alarms_are_drawn_without_labels(is_outlier):
    """Also where all rows have the same score."""
    figure = threshold_figure(Evaluation(np.full(9, -0.5), np.ones(9, dtype=np.int64)), -0.6, is_outlier, "")

    assert legend_of(figure) == ["alarms a day", "this model's threshold (-0.6000)"]
    to_png(figure)


def test_importance_has_two_bars_a_column():
    """At most twenty columns, as given."""
    names = tuple(f"${place}" for place in range(30))
    importance = Importance(names, tuple(np.arange(30.0, 0, -1)), tuple(np.arange(15.0, 0, -0.5)))

    figure = importance_picture(importance, "Importance")

    outliers, every = figure.axes[0].containers
    assert [bar.get_width() for bar in outliers] == [*importance.of_outliers[:20]]
    assert [bar.get_width() for bar in every] == [*importance.of_all[:20]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [*names[:20]]
    to_png(figure)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_boundary_is_drawn_in_two_dimensions_only(n_columns):
    """A plane through more shows little of the model; the importance of columns takes its place."""
    rows = np.random.default_rng(1).normal(size=(100, n_columns))
    forest = compile_forest(fit(rows, ForestParameters(n_estimators=3)))
    names = tuple("abc"[:n_columns])
    data = Dataset(names, rows, Path("rows.csv"), "0" * 64, names)
    importance = Importance(names, (0.1,) * n_columns, (0.1,) * n_columns)

    pictures = draw_pictures(forest, 0.1, {"train": (data, evaluate(forest, rows))}, importance)

    assert sorted(pictures) == [*(["importance.png"] if n_columns > 1 else []), "scores.png", "thresholds.png"]


@pytest.mark.parametrize("sets", [("train",), ("train", "test")])
@pytest.mark.parametrize("n_columns", [1, 2, 3])
def test_pixels_of_other_tests_have_the_names_of_the_pictures(n_columns, sets):
    """So that what those tests say of a bundle's files is true."""
    rows = np.random.default_rng(1).normal(size=(100, n_columns))
    forest = compile_forest(fit(rows, ForestParameters(n_estimators=3)))
    names = tuple("abc"[:n_columns])
    data = Dataset(names, rows, Path("rows.csv"), "0" * 64, names)
    arguments = (
        *(forest, 0.1, dict.fromkeys(sets, (data, evaluate(forest, rows)))),
        Importance(names, (0.1,) * n_columns, (0.1,) * n_columns),
    )

    assert draw_pixels(*arguments).keys() == draw_pictures(*arguments).keys()


def test_names_are_drawn_as_plain_text(forest, small_model):
    """A dollar sign starts no formula, other scripts cause no warning, and long names are cut."""
    names = ("$\\frac$", "\N{CJK UNIFIED IDEOGRAPH-9867}" * 60)

    figure = boundary_figure(forest, small_model.training.rows, names, "price in $ and $")

    picture = matplotlib.image.imread(io.BytesIO(to_png(figure)))
    assert picture.shape == (840, 1080, 4)
    assert len(figure.axes[0].get_ylabel()) == 40


def test_names_are_drawn_in_the_first_font_that_has_them(plane, small_model, monkeypatch):
    """The chain starts with Matplotlib's own font, so that Latin names look as ever; missing ones are left out."""
    monkeypatch.setattr(module, "get_font_names", lambda: ["DejaVu Sans", "Symbola", "Noto Sans CJK JP", "Comic"])

    figure = draw_training_rows(plane, -0.5, small_model.training.rows, "")

    chain = ["DejaVu Sans", "Noto Sans CJK JP", "Symbola"]
    assert figure.axes[0].xaxis.label.get_fontfamily() == figure.axes[0].yaxis.label.get_fontfamily() == chain


@pytest.mark.parametrize("name", ["größe", "\u0645\u062a\u0648\u0633\u0637", "\u05de\u05de\u05d5\u05e6\u05e2"])
def test_arabic_and_hebrew_need_no_further_font(name, forest, small_model, monkeypatch):
    """Matplotlib's own font has their letters: nothing is missing."""
    monkeypatch.setattr(module, "get_font_names", lambda: ["DejaVu Sans"])

    figure = boundary_figure(forest, small_model.training.rows, ("mean", name), "")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="png")


@pytest.mark.usefixtures("real_pictures")
def test_what_no_font_has_is_reported_once(small_model, tmp_path, monkeypatch, capsys):
    """With the packages that bring fonts."""
    monkeypatch.setattr(module, "get_font_names", lambda: ["DejaVu Sans"])
    training = replace(small_model.training, names=("mean \u5e73", "\u5e73\u5747"))

    write_bundle(tmp_path, replace(small_model, training=training))

    reported = [line for line in capsys.readouterr().err.splitlines() if "font" in line]
    assert reported == [
        "training: no installed font has \u5747\u5e73: pictures show boxes instead; install fonts-noto-cjk (Chinese, "
        "Japanese, Korean), fonts-symbola (emoji) or fonts-noto-core, then train again."
    ]
