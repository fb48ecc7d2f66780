"""The page at ``/`` in a real browser: its form, its answers, and what it says when something is wrong."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.running_service import RunningService, start_service
from tests.system.watched_page import PATIENCE_MILLISECONDS, WatchedPage, open_page, start_chromium

pytestmark = pytest.mark.system

expect.set_options(timeout=PATIENCE_MILLISECONDS)

# A small phone's width and height, in CSS pixels.
PHONE = {"width": 320, "height": 640}

# The contrast that WCAG 2 asks of text, level AA.
READABLE = 4.5

# Tells the contrast of each visible text with what lies behind it: relative luminance as WCAG 2 defines it.
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    const own = channels(getComputedStyle(element).backgroundColor);
    return own[3] === 0 ? ground(element.parentElement) : own;
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.offsetParent && (hasText(element) || element.tagName === "INPUT"))
    .map((element) => {
      const light = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
      return [element.outerHTML.slice(0, 60), (Math.max(...light) + 0.05) / (Math.min(...light) + 0.05)];
    });
}"""


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], Path]) -> Iterator[Browser]:
    """Debian's Chromium."""
    with start_chromium(require_program("chromium")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service with a model."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as running:
        yield running


@pytest.fixture
def watched(browser: Browser, service: RunningService) -> Iterator[WatchedPage]:
    """The page, just opened."""
    with open_page(browser) as opened:
        opened.page.goto(service.address)
        yield opened


def send(page: Page, example: str) -> None:
    """Fill an example in and send it."""
    page.get_by_role("button", name=example).click()
    page.get_by_role("button", name="Send").click()


def test_row_is_sent_and_its_answer_shown(watched: WatchedPage, service: RunningService):
    """Label, score, threshold, version, time and the answer as it came; no other host has a part in it."""
    page = watched.page

    send(page, "Typical row")

    expect(page.get_by_role("status")).to_have_text("Inlier: a normal row")
    raw = page.locator("#raw").inner_text()
    assert raw.startswith("HTTP 200\n")
    answer = json.loads(raw.partition("\n")[2])
    expect(page.locator("#measured-score")).to_have_text(f"{answer['anomaly_score']:.6f}")
    expect(page.locator("#measured-time")).to_contain_text("ms")
    version = service.get("/readyz").headers["X-Model-Version"]
    expect(page.locator("#measured-version")).to_have_text(version)
    assert watched.hosts() == {urlsplit(service.address).netloc}
    assert watched.complaints == []


def test_scale_shows_on_which_side_of_the_threshold_the_score_lies(watched: WatchedPage):
    """The marker of an outlier is left of the limit, where abnormal is written, that of an inlier right of it."""
    limit, marker = watched.page.locator(".limit"), watched.page.locator(".marker")

    send(watched.page, "Unusual row")
    expect(watched.page.get_by_role("status")).to_have_text("Outlier: an abnormal row")
    assert marker.bounding_box()["x"] < limit.bounding_box()["x"]

    send(watched.page, "Typical row")
    expect(watched.page.get_by_role("status")).to_have_text("Inlier: a normal row")
    assert marker.bounding_box()["x"] > limit.bounding_box()["x"]


def test_score_is_shown_only_when_asked_for(watched: WatchedPage):
    """Without the tick the service gives a label alone, and no scale pretends to know more."""
    watched.page.get_by_label("include the anomaly score").uncheck()

    send(watched.page, "Typical row")

    expect(watched.page.locator("#measured-score")).to_have_text("not asked for")
    expect(watched.page.locator("#scale")).to_be_hidden()
    assert "anomaly_score" not in watched.page.locator("#raw").inner_text()


def test_refusal_stands_beside_its_input(watched: WatchedPage):
    """The service's own words, tied to the input for those who do not see it; the next good answer clears them."""
    page = watched.page
    mean, sd = page.get_by_label("mean"), page.get_by_label("sd")
    mean.fill("")
    sd.fill("1e39")
    page.get_by_role("button", name="Send").click()

    expect(page.get_by_role("status")).to_have_text("Refused: Unprocessable Entity")
    expect(page.locator("#error-0")).to_contain_text("expected a number, got null")
    expect(page.locator("#error-1")).to_contain_text("expected a number between")
    expect(mean).to_be_focused()
    for place, refused in enumerate((mean, sd)):
        expect(refused).to_have_attribute("aria-invalid", "true")
        assert f"error-{place}" in refused.get_attribute("aria-describedby").split()

    send(page, "Typical row")
    expect(page.get_by_role("status")).to_have_text("Inlier: a normal row")
    expect(page.locator(".error:visible")).to_have_count(0)
    expect(page.locator("[aria-invalid]")).to_have_count(0)


def test_number_outside_the_training_range_is_pointed_out(watched: WatchedPage):
    """The forest scores it all the same, but has seen nothing like it."""
    page = watched.page
    hint = page.get_by_text("this lies outside").locator("visible=true")
    expect(hint).to_have_count(0)

    page.get_by_label("mean").fill("1000")
    expect(hint).to_have_count(1)
    page.get_by_label("mean").fill("1")
    expect(hint).to_have_count(0)


def test_unreachable_service_is_told(watched: WatchedPage):
    """A network that is gone, and a proxy that answers in the service's place, are both said in words."""
    page = watched.page
    page.context.set_offline(True)
    send(page, "Typical row")
    expect(page.get_by_role("status")).to_have_text("No answer")

    page.context.set_offline(False)
    page.route("**/prediction", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Refused: HTTP 502")
    expect(page.locator("#raw")).to_contain_text("<h1>Bad Gateway</h1>")


def test_answer_of_another_model_is_called_so(watched: WatchedPage):
    """The page's threshold says nothing of a model that went live after the page was loaded."""
    page = watched.page
    answer = {"body": '{"is_inlier": -1, "anomaly_score": -0.4}', "headers": {"X-Model-Version": "newer"}}
    page.route("**/prediction", lambda route: route.fulfill(content_type="application/json", **answer))

    send(page, "Typical row")

    expect(page.get_by_role("status")).to_have_text("Outlier: an abnormal row")
    expect(page.locator("#reason")).to_contain_text("reload")
    expect(page.locator("#scale")).to_be_hidden()


def test_form_works_by_keyboard_alone(watched: WatchedPage):
    """Tab leads from a button through every input; Enter fills in and sends."""
    page = watched.page
    page.get_by_role("button", name="Unusual row").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("mean")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("sd")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Outlier: an abnormal row")


def test_command_sends_the_row_of_the_form(watched: WatchedPage, require_program: Callable[[str], Path]):
    """Pasted into a shell it gives the answer that the page shows."""
    require_program("curl")
    send(watched.page, "Near the threshold")
    expect(watched.page.locator("#raw")).to_be_visible()

    command = watched.page.locator("#curl").inner_text()
    pasted = subprocess.run(["sh", "-c", f"{command} --silent --noproxy '*'"], check=True, capture_output=True)

    assert json.loads(pasted.stdout) == json.loads(watched.page.locator("#raw").inner_text().partition("\n")[2])
    assert shlex.split(command)[1] == watched.page.url + "prediction"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_readable_on_a_phone(browser: Browser, service: RunningService, scheme: str):
    """Nothing has to be scrolled sideways, and every text stands out from its ground, whatever the outcome."""
    with open_page(browser, viewport=PHONE, color_scheme=scheme) as opened:
        page = opened.page
        page.goto(service.address)
        for number, verdict in (("", "Refused"), ("1000", "Outlier"), ("-0.15", "Inlier")):
            page.get_by_label("mean").fill(number)
            page.get_by_role("button", name="Send").click()
            expect(page.get_by_role("status")).to_contain_text(verdict)

            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
            contrasts = page.evaluate(CONTRASTS)
            assert len(contrasts) > 30
            assert [found for found in contrasts if found[1] < READABLE] == []


def test_page_without_a_model_shows_one_as_soon_as_it_is_there(browser: Browser, tmp_path: Path, credits_models: Path):
    """Nobody has to reload it after training."""
    models = tmp_path / "models"
    with start_service(tmp_path, models, until="/healthz") as service, open_page(browser) as opened:
        opened.page.goto(service.address)
        expect(opened.page.get_by_role("heading", name="No model is ready")).to_be_visible()

        shutil.copytree(credits_models, tmp_path / "trained", symlinks=True)
        (tmp_path / "trained").rename(models)

        expect(opened.page.get_by_role("button", name="Send")).to_be_visible()
