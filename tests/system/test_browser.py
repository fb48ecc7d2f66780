"""The docs page in a real browser: it works, loads nothing from other hosts, and works behind a prefixing proxy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.browser_page import TIMEOUT_MILLISECONDS, BrowserPage, open_page, start_chromium
from tests.system.running_service import RunningService, start_service

pytestmark = pytest.mark.system

expect.set_options(timeout=TIMEOUT_MILLISECONDS)

# The proxy's prefix; two segments, because one might work by accident.
PREFIX = "/models/credits"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service with a model."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as running:
        yield running


@pytest.fixture(scope="module")
def prefixed_address(service: RunningService) -> Iterator[str]:
    """The URL of a proxy that adds a prefix, which the service does not see."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on("GET")

        def do_POST(self) -> None:
            self._pass_on("POST")

        def _pass_on(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = {name: value for name, value in self.headers.items() if name in ("Accept", "Content-Type")}
            if not self.path.startswith(PREFIX + "/"):
                self.send_error(404)
                return
            url = service.address + self.path.removeprefix(PREFIX)
            answer = service.session.request(method, url, data=body, headers=kept, timeout=30)
            self.send_response(answer.status_code)
            for name in ("Content-Type", "Content-Security-Policy"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}"
    proxy.shutdown()
    thread.join()
    proxy.server_close()


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], Path]) -> Iterator[Browser]:
    """Debian's Chromium."""
    with start_chromium(require_program("chromium")) as chromium:
        yield chromium


@pytest.fixture
def opened_page(browser: Browser) -> Iterator[BrowserPage]:
    """A new page in a browser without cookies or cache."""
    with open_page(browser) as page:
        yield page


def try_prediction_out(page: Page) -> None:
    """Send the example row with the page's form, and wait for the answer."""
    operation = page.locator("#operations-predictions-post_prediction")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer.locator("tr.response td.response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text("is_inlier")


def test_prediction_can_be_tried_out(opened_page: BrowserPage, service: RunningService):
    """The page shows a 200, no other host gets a request, and the browser reports no errors."""
    opened_page.page.goto(f"{service.address}/docs")

    try_prediction_out(opened_page.page)

    assert opened_page.hosts() == {urlsplit(service.address).netloc}
    assert opened_page.errors == []


def test_prediction_can_be_tried_out_behind_a_prefix(opened_page: BrowserPage, prefixed_address: str):
    """The page works behind a proxy that serves everything under a prefix."""
    opened_page.page.goto(f"{prefixed_address}/docs")

    try_prediction_out(opened_page.page)

    assert all(urlsplit(url).path.startswith(PREFIX) for url in opened_page.requested if url.startswith("http"))
    assert opened_page.errors == []


def test_query_string_cannot_select_another_document(opened_page: BrowserPage, service: RunningService):
    """A link to the page must not show a foreign document under this service's name."""
    opened_page.page.goto(f"{service.address}/docs?url=http://127.0.0.1:1/evil.json&configUrl=http://127.0.0.1:1/evil")

    expect(opened_page.page.locator(".info .title")).to_contain_text("Isowatch")
    assert opened_page.hosts() == {urlsplit(service.address).netloc}
