"""The drift pages in a real browser: they work offline, from a file, without any request."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.system.browser_page import TIMEOUT_MILLISECONDS, open_page, start_chromium

pytestmark = [pytest.mark.system, pytest.mark.long]

expect.set_options(timeout=TIMEOUT_MILLISECONDS)

ROOT = Path(__file__).parents[2]

# A small phone's width and height, in CSS pixels.
PHONE = {"width": 320, "height": 640}

FEATURES = ("mean", "a feature whose name is long", "<b>%{x}")


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], Path]) -> Iterator[Browser]:
    """Debian's Chromium."""
    with start_chromium(require_program("chromium")) as chromium:
        yield chromium


def run_drift(folder: Path, *options: str) -> int:
    """Run the command with a folder for its page, and return its exit status."""
    command = [sys.executable, "-m", "training", "drift", "--out", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that compares heavy-tailed rows, half of them at the same point, with slightly shifted ones."""
    folder, generator = tmp_path_factory.mktemp("comparison"), random.Random(1)
    for file, shift in (("reference.csv", 0.0), ("current.csv", 0.001)):
        with (folder / file).open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(FEATURES)
            for _ in range(400):
                is_common = generator.random() < 0.5
                writer.writerow(0.2 + shift if is_common else generator.lognormvariate(0, 2) for _ in FEATURES)
    files = ["--reference", str(folder / "reference.csv"), "--current", str(folder / "current.csv")]
    assert run_drift(folder, *files) == 3
    return folder / "drift.html"


@pytest.fixture(scope="module")
def replay(credits_models: Path, training_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that replays training rows, the second half of them shifted."""
    folder = tmp_path_factory.mktemp("replay")
    with training_csv.open(newline="") as opened:
        header, *rows = csv.reader(opened)
    rows = random.Random(1).sample(rows, 1000)
    with (folder / "stream.csv").open("w", newline="") as opened:
        moved = [[float(cell) + (3 if number >= 500 else 0) for cell in row] for number, row in enumerate(rows)]
        csv.writer(opened).writerows([header, *moved])
    assert run_drift(folder, "--replay", str(folder / "stream.csv"), "--models", str(credits_models)) == 0
    return folder / "drift_replay.html"


def draw_all(page: Page) -> list[Locator]:
    """Scroll to each figure and wait until it is drawn."""
    figures = page.locator(".figure").all()
    for figure in figures:
        figure.scroll_into_view_if_needed()
        expect(figure.locator(".main-svg").first).to_be_visible()
    return figures


@pytest.mark.parametrize(("name", "n_figures"), [("comparison", 2 * len(FEATURES)), ("replay", 4)])
@pytest.mark.parametrize("viewport", [PHONE, {"width": 1300, "height": 900}], ids=["phone", "desk"])
def test_page_works_offline_and_fits(name: str, n_figures: int, viewport, browser: Browser, request):
    """All figures are drawn without errors, and only tables scroll sideways."""
    file = request.getfixturevalue(name)
    with open_page(browser, offline=True, viewport=viewport) as opened:
        opened.page.goto(file.as_uri())

        assert len(draw_all(opened.page)) == n_figures
        assert opened.requested == [file.as_uri()]
        assert opened.errors == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_bin_shows_its_values_and_rows(comparison: Path, browser: Browser):
    """The tooltip shows them; the value that half of the rows share has its own bin."""
    with open_page(browser) as opened:
        opened.page.goto(comparison.as_uri())
        of_bins = draw_all(opened.page)[1]

        of_bins.locator(".barlayer .point path").nth(1).hover(force=True)

        text = of_bins.locator(".hoverlayer .hovertext").first
        expect(text).to_contain_text("0.2")
        expect(text).to_contain_text(" rows (")


def test_event_is_marked_and_listed(replay: Path, browser: Browser):
    """The event is marked at its row, which the tooltip shows."""
    with open_page(browser) as opened:
        opened.page.goto(replay.as_uri())
        of_all_features = draw_all(opened.page)[0]
        events = opened.page.locator(".table").nth(1)
        row = events.locator("tbody tr", has_text="mmd").locator("th").text_content()

        of_all_features.locator(".scatterlayer .trace").last.locator(".point").hover(force=True)

        text = of_all_features.locator(".hoverlayer .hovertext")
        expect(text).to_contain_text(f"row {row}: ")
        expect(text).to_contain_text("event")
