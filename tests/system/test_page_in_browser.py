"""The page at ``/try`` in a real browser: its form, answers and error messages."""

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

from tests.system.browser_page import TIMEOUT_MILLISECONDS, BrowserPage, open_page, start_chromium
from tests.system.running_service import RunningService, start_service

pytestmark = pytest.mark.system

expect.set_options(timeout=TIMEOUT_MILLISECONDS)

KEY = "a-key-for-scoring"

# A small phone's width and height, in CSS pixels.
PHONE = {"width": 320, "height": 640}

# Minimum contrast of text in WCAG 2, level AA.
MIN_CONTRAST = 4.5

# Computes the contrast of each visible text with its background, from WCAG 2's relative luminance.
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


# What is pasted, the inputs "mean" and "sd" afterwards (None: unchanged), and what is said about it.
PASTED = [
    ("0.5\t7", "0.5", "7", "All 2 columns are filled in."),
    (
        'customer\tsd\tmean\r\n"a ""b""\tc"\t7,5\t-1\r\n',
        "-1",
        "7.5",
        "2 of 2 columns are filled in; not used: customer.",
    ),
    ("mean,sd\n1,2\n3,4\n", "1", "2", "2 of 2 columns are filled in, from the first of 2 rows."),
    ('sd;id\n0,25;"x;y"', "", "0.25", "1 of 2 columns are filled in; empty: mean; not used: id."),
    ('{"mean": 3, "sd": null}', "3", "", "2 of 2 columns are filled in."),
    (
        '{"feature_vectors": [[1, 2e-3], [3, 4]]}',
        "1",
        "0.002",
        "All 2 columns are filled in, from the first of 2 rows.",
    ),
    ("1,two", "1", "", "All 2 columns are filled in. Not a number: sd."),
    ("1,2,3", None, None, "3 values, but the model has 2 columns: paste the header as well."),
    ("mean,sd", None, None, "Below the column names, a row is missing."),
    ("[1, 2", None, None, "This is no JSON: "),
    ('{"id": 1}', None, None, "None of these columns is one of the model's, such as mean."),
]


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
def opened_page(browser: Browser, service: RunningService) -> Iterator[BrowserPage]:
    """The page, just opened."""
    with open_page(browser) as opened:
        opened.page.goto(f"{service.address}/try")
        yield opened


def send(page: Page, example: str) -> None:
    """Fill in an example and send it."""
    page.get_by_role("button", name=example).click()
    page.get_by_role("button", name="Send").click()


def test_row_is_sent_and_its_answer_shown(opened_page: BrowserPage, service: RunningService):
    """Label, score, threshold, version, time and raw answer are shown, without requests to other hosts."""
    page = opened_page.page

    send(page, "Typical row")

    expect(page.get_by_role("status")).to_have_text("Inlier: a normal row")
    raw = page.locator("#raw").inner_text()
    assert raw.startswith("HTTP 200\n")
    answer = json.loads(raw.partition("\n")[2])
    expect(page.locator("#measured-score")).to_have_text(f"{answer['anomaly_score']:.6f}")
    expect(page.locator("#measured-time")).to_contain_text("ms")
    version = service.get("/readyz").headers["X-Model-Version"]
    expect(page.locator("#measured-version")).to_have_text(version)
    expect(page.get_by_label("API key")).to_be_hidden()
    assert opened_page.hosts() == {urlsplit(service.address).netloc}
    assert opened_page.errors == []


def test_scale_shows_on_which_side_of_the_threshold_the_score_lies(opened_page: BrowserPage):
    """An outlier's marker is left of the threshold, on the abnormal side, an inlier's is right of it."""
    limit, marker = opened_page.page.locator(".limit"), opened_page.page.locator(".marker")

    send(opened_page.page, "Unusual row")
    expect(opened_page.page.get_by_role("status")).to_have_text("Outlier: an abnormal row")
    assert marker.bounding_box()["x"] < limit.bounding_box()["x"]

    send(opened_page.page, "Typical row")
    expect(opened_page.page.get_by_role("status")).to_have_text("Inlier: a normal row")
    assert marker.bounding_box()["x"] > limit.bounding_box()["x"]


def test_rows_can_be_pasted(opened_page: BrowserPage):
    """From a spreadsheet, a CSV file or JSON; what is wrong is said, and then the form stays as it was."""
    page = opened_page.page
    inputs = [page.get_by_label(name, exact=True) for name in ("mean", "sd")]
    page.get_by_text("Paste a row").click()
    for pasted, mean, sd, said in PASTED:
        before = [field.input_value() for field in inputs]
        page.locator("#pasted").fill(pasted)
        expect(page.locator("#pasted-result")).to_contain_text(said)
        wanted = before if mean is None else [mean, sd]
        assert [field.input_value() for field in inputs] == wanted, pasted


def test_row_pasted_into_a_field_fills_all(opened_page: BrowserPage):
    """A field for one number would keep the first cell, and leave the other fields as they were."""
    page = opened_page.page
    page.locator("#feature-0").evaluate(
        """(field) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text", "3.5\\t20");
            field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }"""
    )
    assert [page.locator(f"#feature-{index}").input_value() for index in (0, 1)] == ["3.5", "20"]
    expect(page.locator("#pasted-result")).to_contain_text("All 2 columns are filled in")
    assert opened_page.errors == []


def test_score_is_shown_only_if_requested(opened_page: BrowserPage):
    """Without the score, only the label is shown, and no scale."""
    opened_page.page.get_by_label("include the anomaly score").uncheck()

    send(opened_page.page, "Typical row")

    expect(opened_page.page.locator("#measured-score")).to_have_text("not requested")
    expect(opened_page.page.locator("#scale")).to_be_hidden()
    assert "anomaly_score" not in opened_page.page.locator("#raw").inner_text()


def test_outlier_is_explained(opened_page: BrowserPage):
    """With reasons, a bar for each column, what would make it an inlier, and its rarity, from the answer."""
    page = opened_page.page
    page.get_by_label("mean").fill("0.56")
    page.get_by_label("sd").fill("39.2")
    page.get_by_role("button", name="Send").click()

    expect(page.get_by_role("status")).to_have_text("Outlier: an abnormal row")
    answer = json.loads(page.locator("#raw").inner_text().partition("\n")[2])
    assert page.locator("#reasons li").all_inner_texts() == answer["reasons"]
    assert answer["reasons"]
    bars = page.locator("#contributions li")
    largest = sorted(answer["contributions"].items(), key=lambda pair: -abs(pair[1]))
    assert [text.split("\n")[0] for text in bars.all_inner_texts()] == [name for name, _ in largest]
    expect(bars.first).to_contain_text(f"+{largest[0][1]:.3f}")
    track, fill = bars.first.locator(".track").bounding_box(), bars.first.locator("i").bounding_box()
    assert fill["x"] == pytest.approx(track["x"] + track["width"] / 2, abs=1)
    assert fill["width"] == pytest.approx(track["width"] / 2, abs=1)
    for name, change in answer["counterfactual"].items():
        expect(page.locator("#counterfactual")).to_contain_text(f"{name} = {change['to']} instead of {change['from']}")
    rarity = float(f"{1 / answer['p_value']:.2g}")
    expect(page.locator("#rarity")).to_have_text(f"1 in {rarity:,.10g}")

    page.get_by_label("explain it").uncheck()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#why")).to_be_hidden()
    assert "contributions" not in page.locator("#raw").inner_text()
    assert opened_page.errors == []


def test_key_is_asked_for_where_predictions_need_one(browser: Browser, tmp_path: Path, credits_models: Path):
    """The field is there from the start; a wrong key is refused, the right one is sent."""
    (tmp_path / "keys").write_text(f"scoring predict {KEY}\n")
    with (
        start_service(tmp_path, credits_models, API_KEYS_FILE=str(tmp_path / "keys")) as keyed,
        open_page(browser) as opened,
    ):
        page = opened.page
        page.goto(f"{keyed.address}/try")
        for key, outcome in (("", "Refused: Unauthorized"), (KEY, "Inlier: a normal row")):
            page.get_by_label("API key").fill(key)
            send(page, "Typical row")
            expect(page.get_by_role("status")).to_have_text(outcome)


def test_errors_are_shown_at_their_inputs(opened_page: BrowserPage):
    """The service's messages are linked to their inputs for screen readers, and cleared by the next valid answer."""
    page = opened_page.page
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


def test_number_outside_the_training_range_is_pointed_out(opened_page: BrowserPage):
    """The page warns about a value outside the training range, although the forest can score it."""
    page = opened_page.page
    hint = page.get_by_text("this lies outside").locator("visible=true")
    expect(hint).to_have_count(0)

    page.get_by_label("mean").fill("1000")
    expect(hint).to_have_count(1)
    page.get_by_label("mean").fill("1")
    expect(hint).to_have_count(0)


def test_unreachable_service_is_reported(opened_page: BrowserPage):
    """A lost network and an error page of a proxy are both reported."""
    page = opened_page.page
    page.context.set_offline(True)
    send(page, "Typical row")
    expect(page.get_by_role("status")).to_have_text("No answer")

    page.context.set_offline(False)
    page.route("**/prediction", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Refused: HTTP 502")
    expect(page.locator("#raw")).to_contain_text("<h1>Bad Gateway</h1>")


def test_answer_of_another_model_is_marked(opened_page: BrowserPage):
    """The page's threshold does not apply to a model that went live after the page was loaded."""
    page = opened_page.page
    answer = {"body": '{"is_inlier": -1, "anomaly_score": -0.4}', "headers": {"X-Model-Version": "newer"}}
    page.route("**/prediction", lambda route: route.fulfill(content_type="application/json", **answer))

    send(page, "Typical row")

    expect(page.get_by_role("status")).to_have_text("Outlier: an abnormal row")
    expect(page.locator("#reason")).to_contain_text("reload")
    expect(page.locator("#scale")).to_be_hidden()


def test_form_works_with_the_keyboard_only(opened_page: BrowserPage):
    """Tab moves through all inputs; Enter fills in an example and sends the form."""
    page = opened_page.page
    page.get_by_role("button", name="Unusual row").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Paste a row")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("mean")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("sd")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Outlier: an abnormal row")


def test_command_sends_the_row_of_the_form(opened_page: BrowserPage, require_program: Callable[[str], Path]):
    """Pasted into a shell, it prints the answer that the page shows."""
    require_program("curl")
    send(opened_page.page, "Near the threshold")
    expect(opened_page.page.locator("#raw")).to_be_visible()

    command = opened_page.page.locator("#curl").inner_text()
    pasted = subprocess.run(["sh", "-c", f"{command} --silent --noproxy '*'"], check=True, capture_output=True)

    assert json.loads(pasted.stdout) == json.loads(opened_page.page.locator("#raw").inner_text().partition("\n")[2])
    assert shlex.split(command)[1] == opened_page.page.url.removesuffix("try") + "prediction"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_readable_on_a_phone(browser: Browser, service: RunningService, scheme: str):
    """Nothing scrolls sideways, and all text has enough contrast, whatever the outcome."""
    with open_page(browser, viewport=PHONE, color_scheme=scheme) as opened:
        page = opened.page
        page.goto(f"{service.address}/try")
        for number, outcome in (("", "Refused"), ("1000", "Outlier"), ("-0.15", "Inlier")):
            page.get_by_label("mean").fill(number)
            page.get_by_role("button", name="Send").click()
            expect(page.get_by_role("status")).to_contain_text(outcome)

            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
            contrasts = page.evaluate(CONTRASTS)
            assert len(contrasts) > 30
            assert [found for found in contrasts if found[1] < MIN_CONTRAST] == []


def test_page_shows_a_model_as_soon_as_there_is_one(browser: Browser, tmp_path: Path, credits_models: Path):
    """It reloads itself after training."""
    models = tmp_path / "models"
    with start_service(tmp_path, models, until="/healthz") as service, open_page(browser) as opened:
        opened.page.goto(f"{service.address}/try")
        expect(opened.page.get_by_role("heading", name="No model is ready")).to_be_visible()

        shutil.copytree(credits_models, tmp_path / "trained", symlinks=True)
        (tmp_path / "trained").rename(models)

        expect(opened.page.get_by_role("button", name="Send")).to_be_visible()
