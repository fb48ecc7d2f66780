"""The docs page in a real browser: it works, keeps to this host, and works behind a proxy that adds a prefix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.system.running_service import RunningService, start_service

pytestmark = pytest.mark.system

# The last five keep Chromium from asking its makers' hosts for anything by itself.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# A busy machine may take long to draw Swagger UI; waiting ends as soon as it is there.
PATIENCE_MILLISECONDS = 30_000

PREFIX = "/models/credits"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service with a model."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as running:
        yield running


@pytest.fixture(scope="module")
def prefixed_address(service: RunningService) -> Iterator[str]:
    """The address of a proxy that serves the service under a prefix, which the service never sees."""

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

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}"
    proxy.shutdown()
    thread.join()
    proxy.server_close()


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], Path]) -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    program = require_program("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


class WatchedPage:
    """A page, and what went on while it was open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def hosts(self) -> set[str]:
        """Name every host and port that the page asked for something; data addresses have none."""
        return {urlsplit(url).netloc for url in self.requested} - {""}


@pytest.fixture
def watched(browser: Browser) -> Iterator[WatchedPage]:
    """A page of a browser that knows nothing yet."""
    with browser.new_context() as context:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        yield WatchedPage(context.new_page())


def try_prediction_out(page: Page) -> None:
    """Send the example row, as a person would, and see its answer."""
    operation = page.locator("#operations-predictions-post_prediction")
    operation.locator(".opblock-summary-control").click(timeout=PATIENCE_MILLISECONDS)
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer.locator("tr.response td.response-col_status")).to_contain_text("200", timeout=PATIENCE_MILLISECONDS)
    expect(answer).to_contain_text("is_inlier")


def test_prediction_can_be_tried_out(watched: WatchedPage, service: RunningService):
    """ "Try it out" on /prediction shows a 200; no other host is asked, and the browser has nothing to complain of."""
    watched.page.goto(f"{service.address}/docs")

    try_prediction_out(watched.page)

    assert watched.hosts() == {urlsplit(service.address).netloc}
    assert watched.complaints == []


def test_prediction_can_be_tried_out_behind_a_prefix(watched: WatchedPage, prefixed_address: str):
    """A proxy may serve everything under a path of its own."""
    watched.page.goto(f"{prefixed_address}/docs")

    try_prediction_out(watched.page)

    assert all(urlsplit(url).path.startswith(PREFIX) for url in watched.requested if url.startswith("http"))
    assert watched.complaints == []


def test_address_of_the_page_cannot_name_another_document(watched: WatchedPage, service: RunningService):
    """A link to the page must not show somebody else's document under this service's name."""
    watched.page.goto(f"{service.address}/docs?url=http://127.0.0.1:1/evil.json&configUrl=http://127.0.0.1:1/evil")

    expect(watched.page.locator(".info .title")).to_contain_text("Isowatch", timeout=PATIENCE_MILLISECONDS)
    assert watched.hosts() == {urlsplit(service.address).netloc}
