"""The exploration page in a real browser: it works from a file, without a network, and asks nobody for anything."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.system.watched_page import PATIENCE_MILLISECONDS, WatchedPage, open_page, start_chromium

pytestmark = pytest.mark.system

expect.set_options(timeout=PATIENCE_MILLISECONDS)

ROOT = Path(__file__).parents[2]

# What a PNG file begins with.
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# A small phone's width and height, in CSS pixels.
PHONE = {"width": 320, "height": 640}

FEATURES = ("mean", "sd", "visits", "<b>%{x}")


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], Path]) -> Iterator[Browser]:
    """Debian's Chromium."""
    with start_chromium(require_program("chromium")) as chromium:
        yield chromium


def explore(folder: Path, *names: str) -> Path:
    """Write heavy-tailed data with these features, and let the command write its page about them."""
    generator = random.Random(1)
    for file, n_rows in (("train.csv", 400), ("test.csv", 100)):
        rows = [",".join(str(generator.lognormvariate(0, 2)) for _ in names) for _ in range(n_rows)]
        (folder / file).write_text("\n".join([",".join(names), *rows]) + "\n")
    files = ["--train", str(folder / "train.csv"), "--test", str(folder / "test.csv"), "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "training", "explore", *files], cwd=ROOT, check=True, capture_output=True)
    return folder / "exploration.html"


@pytest.fixture(scope="module")
def two_features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two features."""
    return explore(tmp_path_factory.mktemp("two"), "mean", "sd")


@pytest.fixture
def watched(browser: Browser, two_features: Path) -> Iterator[WatchedPage]:
    """That page, just opened, in a browser that is offline."""
    with open_page(browser, offline=True) as opened:
        opened.page.goto(two_features.as_uri())
        yield opened


def figure_of(page: Page, place: int) -> Locator:
    """Find a figure, scroll to it, and wait until it is drawn."""
    figure = page.locator(".figure").nth(place)
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".main-svg").first).to_be_visible()
    return figure


def range_of(figure: Locator) -> list[float]:
    """Tell what a figure's x axis shows."""
    found: list[float] = figure.locator(".js-plotly-plot").evaluate("plot => plot.layout.xaxis.range")
    return found


def test_page_asks_nobody(watched: WatchedPage, two_features: Path):
    """All figures are drawn, the browser complains of nothing, and the only address it opens is the file's."""
    for place in range(1 + 2 * 2):
        figure_of(watched.page, place)

    assert watched.requested == [two_features.as_uri()]
    assert watched.complaints == []


def test_point_tells_its_row(watched: WatchedPage):
    """Both numbers, and which row it is, stand beside the mouse."""
    figure = figure_of(watched.page, 0)

    figure.locator(".points path").first.hover(force=True)

    text = figure.locator(".hoverlayer .hovertext")
    expect(text).to_contain_text("mean: ")
    expect(text).to_contain_text("row ")


def test_dragging_zooms_and_double_click_returns(watched: WatchedPage):
    """A smaller range is shown, then the whole again."""
    page, figure = watched.page, figure_of(watched.page, 0)
    whole = range_of(figure)
    box = figure.locator(".nsewdrag").bounding_box()

    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75, steps=4)
    page.mouse.up()
    page.wait_for_function(f"document.querySelector('.js-plotly-plot').layout.xaxis.range[0] > {whole[0]}")
    low, high = range_of(figure)
    assert whole[0] < low < high < whole[1]

    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function(f"document.querySelector('.js-plotly-plot').layout.xaxis.range[0] < {low}")
    assert range_of(figure) == pytest.approx(whole)


def test_button_shows_the_middle(watched: WatchedPage):
    """The closer view of the scatter plot ends before the heavy tail does."""
    figure = figure_of(watched.page, 0)
    _, whole = range_of(figure)

    figure.get_by_text("Middle 98 %").click()
    watched.page.wait_for_function(f"document.querySelector('.js-plotly-plot').layout.xaxis.range[1] < {whole}")

    figure.get_by_text("All rows", exact=True).click()
    watched.page.wait_for_function(f"document.querySelector('.js-plotly-plot').layout.xaxis.range[1] >= {whole}")


def test_figure_is_saved_as_png(watched: WatchedPage, tmp_path: Path):
    """Offline too; the file bears the name of the figure."""
    figure = figure_of(watched.page, 1)
    figure.hover()

    with watched.page.expect_download() as download:
        figure.locator(".modebar-btn").first.click()

    download.value.save_as(tmp_path / "saved.png")
    assert download.value.suggested_filename == "mean.png"
    assert (tmp_path / "saved.png").read_bytes().startswith(PNG_SIGNATURE)
    assert watched.complaints == []


def test_figures_far_below_are_drawn_when_the_reader_comes(browser: Browser, tmp_path: Path):
    """Hundreds at once would take minutes; before printing all are drawn."""
    names = [f"f{place}" for place in range(24)]
    with open_page(browser) as opened:
        opened.page.goto(explore(tmp_path, *names).as_uri())
        figure_of(opened.page, 0)
        drawn = opened.page.locator(".figure[data-drawn]")
        assert 0 < drawn.count() < len(names)

        opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")

        expect(drawn).to_have_count(1 + 2 * len(names))


def test_page_fits_a_phone_and_strange_names(browser: Browser, tmp_path: Path):
    """Nothing has to be scrolled sideways but tables, and a name that looks like mark-up is shown as it is."""
    with open_page(browser, viewport=PHONE) as opened:
        page = opened.page
        page.goto(explore(tmp_path, *FEATURES).as_uri())
        for place in range(1 + 2 * len(FEATURES)):
            figure_of(page, place)

        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        title = figure_of(page, len(FEATURES)).locator(".gtitle")
        assert title.text_content().replace("\u200b", "") == "<b>%{x}"
        assert opened.complaints == []
