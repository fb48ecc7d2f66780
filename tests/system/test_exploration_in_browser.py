"""The exploration page in a real browser: it works offline, from a file, without any request."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.system.browser_page import TIMEOUT_MILLISECONDS, BrowserPage, open_page, start_chromium

pytestmark = [pytest.mark.system, pytest.mark.long]

expect.set_options(timeout=TIMEOUT_MILLISECONDS)

ROOT = Path(__file__).parents[2]

# The first bytes of a PNG file.
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
    """Write heavy-tailed data with these features, and run the command on them."""
    generator = random.Random(1)
    for file, n_rows in (("train.csv", 400), ("test.csv", 100)):
        rows = [",".join(str(generator.lognormvariate(0, 2)) for _ in names) for _ in range(n_rows)]
        (folder / file).write_text("\n".join([",".join(names), *rows]) + "\n")
    files = ["--train", str(folder / "train.csv"), "--test", str(folder / "test.csv"), "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "training", "explore", *files], cwd=ROOT, check=True, capture_output=True)
    return folder / "exploration.html"


@pytest.fixture(scope="module")
def two_features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page for two features."""
    return explore(tmp_path_factory.mktemp("two"), "mean", "sd")


@pytest.fixture
def opened_page(browser: Browser, two_features: Path) -> Iterator[BrowserPage]:
    """That page, just opened in an offline browser."""
    with open_page(browser, offline=True) as opened:
        opened.page.goto(two_features.as_uri())
        yield opened


def figure_of(page: Page, place: int) -> Locator:
    """Scroll to a figure, wait until it is drawn, and return it."""
    figure = page.locator(".figure").nth(place)
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".main-svg").first).to_be_visible()
    return figure


def range_of(figure: Locator) -> list[float]:
    """Return the visible range of a figure's x axis."""
    found: list[float] = figure.locator(".js-plotly-plot").evaluate("plot => plot.layout.xaxis.range")
    return found


def test_page_works_offline(opened_page: BrowserPage, two_features: Path):
    """All figures are drawn without errors, and the only request is for the file."""
    for place in range(1 + 2 * 2):
        figure_of(opened_page.page, place)

    assert opened_page.requested == [two_features.as_uri()]
    assert opened_page.errors == []


def test_point_shows_its_row(opened_page: BrowserPage):
    """The tooltip shows both values and the row."""
    figure = figure_of(opened_page.page, 0)

    figure.locator(".points path").first.hover(force=True)

    text = figure.locator(".hoverlayer .hovertext")
    expect(text).to_contain_text("mean: ")
    expect(text).to_contain_text("row ")


def test_dragging_zooms_and_double_click_resets(opened_page: BrowserPage):
    """Dragging shows a smaller range, a double click the whole range again."""
    page, figure = opened_page.page, figure_of(opened_page.page, 0)
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


def test_button_shows_the_middle(opened_page: BrowserPage):
    """The zoomed view of the scatter plot excludes the heavy tail."""
    figure = figure_of(opened_page.page, 0)
    _, whole = range_of(figure)

    figure.get_by_text("Middle 98 %").click()
    opened_page.page.wait_for_function(f"document.querySelector('.js-plotly-plot').layout.xaxis.range[1] < {whole}")

    figure.get_by_text("All rows", exact=True).click()
    opened_page.page.wait_for_function(f"document.querySelector('.js-plotly-plot').layout.xaxis.range[1] >= {whole}")


def test_figure_is_saved_as_png(opened_page: BrowserPage, tmp_path: Path):
    """Saving works offline, and the file is named after the figure."""
    figure = figure_of(opened_page.page, 1)
    figure.hover()

    with opened_page.page.expect_download() as download:
        figure.locator(".modebar-btn").first.click()

    download.value.save_as(tmp_path / "saved.png")
    assert download.value.suggested_filename == "mean.png"
    assert (tmp_path / "saved.png").read_bytes().startswith(PNG_SIGNATURE)
    assert opened_page.errors == []


def test_figures_are_drawn_when_scrolled_into_view(browser: Browser, tmp_path: Path):
    """Drawing hundreds at once would take minutes; before printing, all are drawn."""
    names = [f"f{place}" for place in range(24)]
    with open_page(browser) as opened:
        opened.page.goto(explore(tmp_path, *names).as_uri())
        figure_of(opened.page, 0)
        drawn = opened.page.locator(".figure[data-drawn]")
        assert 0 < drawn.count() < len(names)

        opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")

        expect(drawn).to_have_count(1 + 2 * len(names))


@pytest.mark.long
def test_page_fits_a_phone_and_strange_names(browser: Browser, tmp_path: Path):
    """Only tables scroll sideways, and a name that looks like markup is shown literally."""
    with open_page(browser, viewport=PHONE) as opened:
        page = opened.page
        page.goto(explore(tmp_path, *FEATURES).as_uri())
        for place in range(1 + 2 * len(FEATURES)):
            figure_of(page, place)

        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        title = figure_of(page, len(FEATURES)).locator(".gtitle")
        assert title.text_content().replace("\u200b", "") == "<b>%{x}"
        assert opened.errors == []
