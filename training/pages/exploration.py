"""The page that shows a data set: its first rows, its figures in numbers, and each feature drawn."""

from __future__ import annotations

from pathlib import Path

from training.data.dataset import Dataset, is_synthetic
from training.data.summary import (
    compare,
    count_rows_in,
    describe,
    find_distinct_rows,
    first_rows,
    list_fences,
    most_repeated,
)
from training.figures import box_figure, histogram_figure, scatter_figure
from training.pages.page import SelfContainedPage, write_page

EXPLORATION_FILE = "exploration.html"


def write_exploration(folder: Path, training: Dataset, test: Dataset | None = None) -> Path:
    """Write ``exploration.html``, a page in one file that works without a network.

    Parameters
    ----------
    folder
        Made if it does not exist; a page that is there is replaced in one step.
    training
        Training data.
    test
        Test data, shown beside them.

    Returns
    -------
    The file.

    Raises
    ------
    ModelsNotWritable
        If the page cannot be stored; what was there is there still.
    """
    return write_page(folder / EXPLORATION_FILE, explore(training, test))


def explore(training: Dataset, test: Dataset | None = None) -> str:
    """Compose the page.

    Parameters
    ----------
    training
        Training data.
    test
        Test data, shown beside them.

    Returns
    -------
    HTML.
    """
    page = SelfContainedPage(f"Exploration of {training.path.name}")
    _add_shape(page, training, test)
    page.begin_section("First rows")
    page.add_table(first_rows(training))
    page.begin_section("Each feature in numbers")
    page.add_paragraph(
        "The column 5% holds the value that 5 % of the rows do not exceed, and so on; 50% is the median."
    )
    page.add_table(describe(training))
    _add_repeated_rows(page, training)
    page.begin_section("Scatter plot")
    page.add_paragraph(
        "Drag to zoom, double-click to return, point at something for its numbers; the camera saves a picture."
    )
    page.add_figures([scatter_figure(training, test)], wide=True)
    page.begin_section("Histograms")
    page.add_paragraph("All rows are counted.")
    page.add_figures([histogram_figure(training, name, test) for name in training.names])
    _add_boxes(page, training, test)
    if test is not None:
        _add_comparison(page, training, test)
    return page.render()


def _add_shape(page: SelfContainedPage, training: Dataset, test: Dataset | None) -> None:
    """Say what was read."""
    page.begin_section("Shape")
    for called, data in (("training", training), ("test", test)):
        if data is None:
            continue
        left_out = [name for name in data.columns if name not in data.names]
        page.add_paragraph(
            f"{data.path.name} ({called}): {len(data):,} rows, {len(data.names)} features"
            + (f", columns left out: {', '.join(left_out)}" if left_out else "")
            + f"; sha256 {data.sha256}."
        )
    if is_synthetic(training):
        page.add_paragraph("These data are synthetic: made by training.data.synthetic. No person is behind a row.")
    page.add_paragraph(
        "Tables, bars and boxes are of all rows. Of points, only a part is drawn where there are more than a browser "
        "shows quickly: the extreme ones, one of each place where there are any, and others by chance."
    )


def _add_repeated_rows(page: SelfContainedPage, data: Dataset) -> None:
    """Count what occurs more than once."""
    distinct = find_distinct_rows(data.rows)
    page.begin_section("Repeated rows")
    page.add_paragraph(
        f"{len(distinct):,} of {len(data):,} rows are distinct; {distinct.n_repeats:,} "
        f"({distinct.n_repeats / len(data):.2%}) repeat an earlier row. "
        f"{distinct.n_repeated:,} of the distinct rows occur more than once."
    )
    if distinct.n_repeated:
        page.add_heading("The most frequent rows")
        page.add_table(most_repeated(data, distinct))


def _add_boxes(page: SelfContainedPage, training: Dataset, test: Dataset | None) -> None:
    """Draw the box plots, with their fences in numbers."""
    page.begin_section("Box plots")
    page.add_paragraph(
        "A box reaches from the first quartile to the third, with the median in it. The fences stand 1.5 box lengths "
        "beside it; the whiskers end at the last value within them. Of the values outside, at most 500 are drawn, "
        "the extreme ones among them. Outside the fences does not mean wrong: heavy tails always reach there."
    )
    page.add_table(list_fences(training))
    page.add_figures([box_figure(training, name, test) for name in training.names])


def _add_comparison(page: SelfContainedPage, training: Dataset, test: Dataset) -> None:
    """Put training and test rows side by side in numbers; the figures above show both."""
    page.begin_section("Training against test")
    page.add_table(compare(training, test))
    in_training = count_rows_in(training, test)
    page.add_paragraph(
        f"{in_training:,} of {len(test):,} test rows ({in_training / len(test):.2%}) equal a training row."
    )
    page.add_heading("First rows of the test data")
    page.add_table(first_rows(test))
    page.add_heading("The test data in numbers")
    page.add_table(describe(test))
    page.add_heading("Fences of the test data")
    page.add_table(list_fences(test))
