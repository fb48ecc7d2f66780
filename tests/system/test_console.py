"""The console in Chromium: from an alarm to a quality figure, by keyboard, with keys, and with texts of strangers."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from itsdangerous import URLSafeTimedSerializer
from playwright.sync_api import Browser, Page, expect

from tests.system.browser_page import TIMEOUT_MILLISECONDS, BrowserPage, open_page, start_chromium
from tests.system.model_versions import run_training
from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

expect.set_options(timeout=TIMEOUT_MILLISECONDS)

ADA, EVE, BOSS = "key-of-ada", "key-of-eve", "key-of-the-boss"
VIEWS = ["", "alarms", "review", "threshold", "models", "drift", "quality", "try"]
WIDTHS = [1440, 390]

# The page ignores keys while nobody can have read the row.
READING_MILLISECONDS = 300

# Far outside of training, and typical.
OUTLIER, INLIER = [0.56, 39.2], [-0.158, -0.1067]

# What somebody could send to trick a page, and more than fits anywhere.
HOSTILE = "<img src=x onerror=alert(1)>\u202e\"'</script>"
LONG = "x" * 990


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], Path]) -> Iterator[Browser]:
    """Debian's Chromium."""
    with start_chromium(require_program("chromium")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Path:
    """The store of the service."""
    return Path(shutil.copytree(credits_models, tmp_path_factory.mktemp("store") / "models", symlinks=True))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[RunningService]:
    """A service with keys, alarms of two kinds and drawn rows; the tests share it in their order."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "keys").write_text(f"ada labeller {ADA}\neve viewer {EVE}\nboss admin {BOSS}\n")
    settings = {"API_KEYS_FILE": str(folder / "keys"), "AUDIT_SHARE": "1", "WEB_CONCURRENCY": "1"}
    with start_service(folder, models, **settings) as running:
        running.session.headers["X-API-Key"] = BOSS
        sent = [(OUTLIER, "web"), (INLIER, "web"), (INLIER, "shop"), (OUTLIER, HOSTILE[:64]), (INLIER, "none")]
        for row, segment in sent:
            assert running.predict(row, segment=segment).status_code == 200
        wait_until(lambda: len(running.get("/alarms").json().get("alarms", [])) == 2, "two alarms", running)
        yield running


@pytest.fixture
def opened(browser: Browser, service: RunningService) -> Iterator[BrowserPage]:
    """A browser in which Ada is signed in; nothing goes wrong in it, and nothing is asked of another host."""
    with open_page(browser, viewport={"width": 1440, "height": 900}) as page:
        sign_in(page.page, service, ADA)
        yield page
        assert page.errors == []
        assert page.hosts() == {urlsplit(service.address).netloc}


def sign_in(page: Page, service: RunningService, key: str, view: str = "alarms") -> None:
    """Sign in, and go on to a view."""
    page.goto(f"{service.address}/sign-in?next={view}")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_an_alarm_becomes_a_quality_figure(opened: BrowserPage, service: RunningService):
    """Found, understood, labelled with the keyboard, and counted."""
    page = opened.page
    expect(page.locator("#list a")).to_have_count(2)
    page.keyboard.press("j")
    expect(page.locator("#list a").nth(1)).to_be_focused()
    detail = page.locator("#detail")
    expect(detail.get_by_role("heading", name="in web")).to_be_visible()
    expect(detail.locator(".reasons li").first).to_contain_text("sd = 39.2 is higher than")
    expect(detail.get_by_text("It would be ordinary if")).to_be_visible()
    expect(detail.locator(".strip")).to_have_count(2)
    for key in "kjy":  # faster than the details are loaded
        page.keyboard.press(key)
    expect(page.locator("#list a").nth(1).locator(".badge")).to_have_text("true alarm")
    expect(page.locator("#list .badge")).to_have_count(1)
    expect(detail.get_by_role("button", name="True alarm")).to_have_attribute("aria-pressed", "true")
    expect(detail.get_by_text("ada,")).to_be_visible()
    page.keyboard.press("z")
    expect(page.locator("#list .badge")).to_have_count(0)
    assert [alarm["label"] for alarm in service.get("/alarms").json()["alarms"]] == [None, None]
    _label_identical_alarms_and_take_them_back(page)
    page.keyboard.press("y")
    expect(page.locator("#list .badge")).to_have_text("true alarm")
    page.keyboard.press("k")
    expect(detail.get_by_role("heading", name="in <img")).to_be_visible()
    page.get_by_label("Note").fill(HOSTILE)
    page.get_by_role("button", name="Unsure").click()
    expect(page.locator("#list .badge")).to_have_text(["unsure", "true alarm"])

    labels = [alarm["label"] for alarm in service.get("/alarms?label=true").json()["alarms"]]
    assert [(label["is_inlier"], label["given_by"]) for label in labels] == [(-1, "ada")]
    page.goto(f"{service.address}/quality")
    expect(page.locator("#about")).to_contain_text("1 of alarms")


def _label_identical_alarms_and_take_them_back(page: Page) -> None:
    """Two alarms with the same values: one click labels the other one too, and one key takes both back."""
    page.keyboard.press("k")
    detail = page.locator("#detail")
    expect(detail.get_by_text("1 earlier alarms with these values have no label")).to_be_visible()
    page.keyboard.press("y")
    detail.get_by_role("button", name="Say the same about 1 identical").click()
    expect(detail.get_by_text("Saved: true alarm, with 1 identical.")).to_be_visible()
    expect(page.locator("#list .badge")).to_have_text(["true alarm", "true alarm"])
    expect(detail.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("z")
    expect(detail.get_by_text("Taken back, with 1 identical.")).to_be_visible()
    expect(page.locator("#list .badge")).to_have_count(0)
    page.keyboard.press("j")
    expect(detail.get_by_role("heading", name="in web")).to_be_visible()


def test_texts_of_strangers_stay_texts(opened: BrowserPage, service: RunningService):
    """Segments and notes with HTML are shown as they are, and long ones do not break the page."""
    page = opened.page
    expect(page.locator("#list")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#detail").get_by_label("Note")).to_have_value(HOSTILE)
    [first, _] = service.get("/alarms").json()["alarms"]
    page.get_by_label("Note").fill(LONG)
    page.get_by_role("button", name="False alarm").click()
    expect(page.locator("#list .badge")).to_have_text(["false alarm", "true alarm"])
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{service.address}/alarms/{first['record_id']}")
        expect(page.get_by_role("heading", name="Alarm of")).to_be_visible()
        expect(page.get_by_label("Note")).to_have_value(LONG)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("img[src=x]").count() == 0


def test_two_people_review_different_rows(opened: BrowserPage, browser: Browser, service: RunningService):
    """By keyboard, with a way back; their labels count."""
    with open_page(browser) as other:
        sign_in(other.page, service, BOSS, "review")
        opened.page.goto(f"{service.address}/review")
        pages = (other.page, opened.page)
        expect(pages[0].get_by_role("term").first).to_be_visible()
        expect(pages[1].get_by_text("Nothing to review")).to_be_visible()  # the other one has the last rows
        expect(pages[0].locator("#row .strip").first).to_be_visible()
        shown = pages[0].locator("#row p").first.inner_text()
        pages[0].wait_for_timeout(READING_MILLISECONDS)
        # The second one is too early for the next row.
        pages[0].keyboard.press("n")
        pages[0].keyboard.press("n")
        expect(pages[0].get_by_text("You have labelled 1 in this tab")).to_be_visible()
        pages[0].keyboard.press("z")
        expect(pages[0].locator("#row p").first).to_have_text(shown)
        record = service.get(f"/predictions/{shown.split()[-1]}").json()
        assert [(row["label"], row["history"]) for row in record["rows"]] == [(None, [])]
        pages[0].wait_for_timeout(READING_MILLISECONDS)
        pages[0].keyboard.press("y")
        expect(pages[0].locator("#done .badge")).to_have_text(["abnormal"])
        pages[0].wait_for_timeout(READING_MILLISECONDS)
        pages[0].keyboard.press("n")
        expect(pages[0].get_by_text("You have labelled 2 in this tab")).to_be_visible()
        pages[0].reload()
        expect(pages[0].locator("#done .badge")).to_have_text(["ordinary", "abnormal"])
        assert other.errors == []


def test_keys_decide_what_people_may_do(browser: Browser, service: RunningService):
    """Without one there is a form; a viewer sees alarms, and cannot label or steer."""
    with open_page(browser) as visitor:
        page = visitor.page
        sign_in(page, service, EVE)
        expect(page.get_by_role("button", name="True alarm")).to_be_disabled()
        page.goto(f"{service.address}/try")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("status")).to_contain_text("Inlier")
        page.goto(f"{service.address}/threshold")
        expect(page.get_by_text("Needs a key with the role admin")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        page.goto(f"{service.address}/alarms?label=true")
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("API_KEYS_FILE")
        page.get_by_label("API key").fill(ADA)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{service.address}/alarms?label=true")


def test_expired_session_leads_back_to_the_form(browser: Browser, service: RunningService, tmp_path_factory):
    """What was not saved is refused, and nobody is told that it was."""
    with open_page(browser) as visitor:
        page = visitor.page
        sign_in(page, service, ADA)
        expect(page.get_by_role("button", name="True alarm")).to_be_visible()
        page.context.clear_cookies()
        page.context.add_cookies([{"name": "isowatch_session", "value": _expired(), "url": service.address}])
        page.get_by_role("button", name="True alarm").click()
        expect(page.get_by_label("API key")).to_be_visible()


def _expired() -> str:
    """Return a cookie that no service signed, as one is that expired long ago."""
    return str(URLSafeTimedSerializer(b"another secret").dumps(["00", "11"]))


def test_threshold_is_moved_with_the_slider(browser: Browser, service: RunningService):
    """By an admin, with the arrow keys; all callers have it within two seconds of the answer."""
    before = service.get("/model_information").json()["model"]["threshold"]
    with open_page(browser) as opened:
        page = opened.page
        sign_in(page, service, BOSS, "threshold")
        slider = page.get_by_role("slider")
        slider.focus()
        slider.press("ArrowLeft")
        expect(page.locator("#chosen")).not_to_contain_text("live")
        page.get_by_role("button", name="Make it live").click()
        page.get_by_role("dialog").get_by_role("button", name="Make it live").click()
        expect(page.get_by_role("status").get_by_text("is live.")).to_be_visible()
        assert service.get("/model_information").json()["model"]["threshold"] < before
        page.goto(f"{service.address}/models")
        expect(page.get_by_role("row")).to_have_count(3)
        page.get_by_role("button", name="Make live").click()
        page.get_by_role("dialog").get_by_role("button", name="Make it live").click()
        deadline = time.monotonic() + 10
        while service.get("/model_information").json()["model"]["threshold"] != before:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert opened.errors == []
    wait_until(
        lambda: sum(event["who"] == "boss" for event in service.get("/events?about=changes").json()["events"]) == 3,
        "events",
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_views_fit_and_are_accessible(
    opened: BrowserPage, service: RunningService, scheme: Literal["light", "dark"]
):
    """On a wide screen and on a phone; axe-core finds nothing against WCAG 2.2 AA, contrast included."""
    page = opened.page
    page.emulate_media(color_scheme=scheme)
    newest = service.get("/alarms?n=1").json()["alarms"][0]["record_id"]
    for view in [*VIEWS, f"alarms/{newest}", "sign-in"]:
        page.goto(f"{service.address}/{view}", wait_until="networkidle")
        expect(page.locator("h1")).to_have_count(1)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (view, width)
        # Nothing but colours differs in the dark.
        rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
        found = Axe().run(page, options={"resultTypes": ["violations"]} | rules).response["violations"]
        assert [(view, rule["id"], rule["nodes"][0]["html"]) for rule in found] == []


def test_names_of_strangers_stay_texts(opened: BrowserPage, service: RunningService, models: Path, tmp_path: Path):
    """Columns, levels, segments and notes with HTML, quotes, marks of direction and 10,000 characters, in all views."""
    with (tmp_path / "train.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([HOSTILE + "x" * 10_000, "kind"])
        table.writerows([number, "ab"[number % 2] + HOSTILE] for number in range(200))
    before = set(models.iterdir())
    small = ("--estimators", "10", "--no-drift", "--metrics-port", "0", "--contamination", "0.1", "--force")
    run_training("train", "--train", str(tmp_path / "train.csv"), *small, models=models)
    [version] = [folder.name for folder in set(models.iterdir()) - before]
    consent = {"replace": True, "force": True}
    promoted = service.session.post(f"{service.address}/models/{version}/promote", json=consent, timeout=30)
    assert promoted.status_code == 200, promoted.text
    wait_until(lambda: service.get("/model_information").json()["model"]["version"] == version, version)
    for number in (9_000, 9_001):
        answer = service.predict([number, "a" + HOSTILE], segment=HOSTILE[:64])
        assert answer.json()["is_inlier"] == -1
    record = answer.headers["X-Record-ID"]
    wait_until(lambda: service.get(f"/alarms/{record}").status_code == 200, "the alarm", service)
    note = {"is_unsure": True, "note": HOSTILE}
    assert service.session.post(f"{service.address}/alarms/{record}/note", json=note, timeout=30).status_code == 204
    page = opened.page
    page.set_viewport_size({"width": WIDTHS[-1], "height": 800})
    for view in [*VIEWS, f"alarms/{record}"]:
        page.goto(f"{service.address}/{view}", wait_until="networkidle")
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[-1], view
        if view.startswith(("alarms", "review", "try")):
            expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
    # A mark that would turn the text around it is shown, and does nothing.
    expect(page.locator("#detail")).to_contain_text("[U+202E]\"'</script>xxx")
    page.goto(f"{service.address}/alarms/{quote('<img src=x onerror=alert(1)>')}")
    expect(page.get_by_role("alert")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("img[src=x]").count() == 0
    assert ["404" in error for error in opened.errors] == [True]
    opened.errors.clear()
