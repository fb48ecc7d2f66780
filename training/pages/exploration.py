"""The page that describes a data set: its first rows, figures in numbers, and plots of each feature."""

from __future__ import annotations

from pathlib import Path

from app.errors import count_of
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
        Created if it does not exist; an existing page is replaced in one step.
    training
        Training data.
    test
        Test data, shown beside the training data.

    Returns
    -------
    The file.

    Raises
    ------
    ModelsNotWritable
        If the page cannot be stored; an existing page then stays as it was.
    """
    return write_page(folder / EXPLORATION_FILE, explore(training, test))


def explore(training: Dataset, test: Dataset | None = None) -> str:
    """Render the page.

    Parameters
    ----------
    training
        Training data.
    test
        Test data, shown beside the training data.

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
        "Drag to zoom, double-click to reset, hover over a point for its numbers; the camera saves a picture."
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
    """Describe the files."""
    page.begin_section("Shape")
    for called, data in (("training", training), ("test", test)):
        if data is None:
            continue
        left_out = [name for name in data.columns if name not in data.names]
        page.add_paragraph(
            f"{data.path.name} ({called}): {count_of(len(data), 'row')}, {count_of(len(data.names), 'feature')}"
            + (f", columns left out: {', '.join(left_out)}" if left_out else "")
            + f"; sha256 {data.sha256}."
        )
    if is_synthetic(training):
        page.add_paragraph("These data are synthetic: made by training.data.synthetic. No row is a real person.")
    page.add_paragraph(
        "Tables, bars and boxes include all rows. If there are more points than a browser can draw quickly, only some "
        "are drawn: the extreme ones, one in each place that has any, and a random sample of the others."
    )


def _add_repeated_rows(page: SelfContainedPage, data: Dataset) -> None:
    """Add the rows that occur more than once."""
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
    """Add the box plots, and their fences in numbers."""
    page.begin_section("Box plots")
    page.add_paragraph(
        "A box reaches from the first quartile to the third, with the median in it. The fences are 1.5 box lengths "
        "away from it; the whiskers end at the last value within them. Of the values outside, at most 500 are drawn, "
        "including the extreme ones. Values outside the fences are not wrong: heavy tails always reach there."
    )
    page.add_table(list_fences(training))
    page.add_figures([box_figure(training, name, test) for name in training.names])


def _add_comparison(page: SelfContainedPage, training: Dataset, test: Dataset) -> None:
    """Add the figures of training and test rows side by side; the plots above show both."""
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
