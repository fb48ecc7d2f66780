"""The exploration page shows what one first wants to know about a data set."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import ModelsNotWritable
from training.data.dataset import Dataset
from training.pages.exploration import explore, write_exploration

FEATURES = ("mean", "sd", "visits")


def make_data(n_rows: int, name: str = "train.csv", names: tuple[str, ...] = FEATURES) -> Dataset:
    """Make rows, each of which occurs twice."""
    rows = np.random.default_rng(n_rows).normal(size=(n_rows // 2, len(names))).repeat(2, axis=0)
    return Dataset(names, rows, Path("elsewhere") / name, "ab" * 32, ("id", *names))


def read_figures(page: str) -> list[dict[str, Any]]:
    """Return the figures of a page."""
    return [json.loads(numbers) for numbers in re.findall(r'<script type="application/json">(.*?)</script>', page)]


def read_headings(page: str) -> list[str]:
    """Return the section headings of a page."""
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)


def test_page_shows_the_data():
    """Shape, first rows, description, repeats, a scatter plot, and a histogram and a box plot per feature."""
    page = explore(make_data(400))

    assert read_headings(page) == [
        "Shape",
        "First rows",
        "Each feature in numbers",
        "Repeated rows",
        "Scatter plot",
        "Histograms",
        "Box plots",
    ]
    assert f"train.csv (training): 400 rows, 3 features, columns left out: id; sha256 {'ab' * 32}." in page
    assert "200 of 400 rows are distinct; 200 (50.00%) repeat an earlier row." in page
    assert "elsewhere" not in page
    titles = [figure["layout"]["title"]["text"] for figure in read_figures(page)]
    assert titles == ["3 features by pairs", *FEATURES, *FEATURES]


def test_test_data_are_shown_beside_the_training_data():
    """In the figures and in the tables."""
    page = explore(make_data(400), make_data(100, "test.csv"))

    assert read_headings(page)[-1] == "Training against test"
    assert "test.csv (test): 100 rows" in page
    assert "0 of 100 test rows (0.00%) equal a training row." in page
    for figure in read_figures(page):
        assert {"training", "test"} <= {trace.get("name") for trace in figure["data"]}


@pytest.mark.parametrize(
    "rows",
    [
        [[1.0], [1.0]],
        [[3.0, 1.0], [3.0, 2.0]],
        [[3.4e38, 0.0, 1.0], [-3.4e38, 5e-324, 1.0]],
        [[1.0, np.nextafter(1.0, 2.0)], [np.nextafter(1.0, 2.0), 1.0]],
    ],
    ids=["one constant", "a constant", "both ends of float32", "neighbours"],
)
def test_extreme_data_are_shown(rows):
    """Two rows are enough, and numbers may be very large, very small or all equal."""
    names = FEATURES[: len(rows[0])]

    page = explore(Dataset(names, np.array(rows), Path("train.csv"), "0" * 64, names))

    assert len(read_figures(page)) == 1 + 2 * len(names)


def test_size_of_the_page_does_not_depend_on_the_rows(is_long):
    """Bars, boxes and thinned points: a million rows of ten features take no more than a hundred thousand."""
    n_rows = 1_000_000 if is_long else 20_000
    names = tuple(f"f{place}" for place in range(10))

    page = explore(make_data(n_rows, names=names), make_data(n_rows // 2, names=names))

    assert len(page.encode()) < 15_000_000
    assert sum(len(json.dumps(figure)) for figure in read_figures(page)) < 3_000_000


def test_page_is_written_atomically(tmp_path):
    """Missing folders are created, and an earlier page is replaced."""
    folder = tmp_path / "new" / "reports"

    file = write_exploration(folder, make_data(50))
    first = file.read_text()
    write_exploration(folder, make_data(60))

    assert file == folder / "exploration.html"
    assert list(folder.iterdir()) == [file]
    assert first.rstrip().endswith("</html>")
    assert "60 rows" in file.read_text()


def test_folder_that_cannot_be_created_is_reported(write_csv: Callable[..., Path]):
    """There may be a file in its place."""
    in_the_way = write_csv("mean\n1\n")

    with pytest.raises(ModelsNotWritable, match=r"rows\.csv cannot be made \(.+\); name another place with --out"):
        write_exploration(in_the_way, make_data(50))
