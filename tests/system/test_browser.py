"""The docs page in a real browser: it works, keeps to this host, and works behind a proxy that adds a prefix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.running_service import RunningService, start_service
from tests.system.watched_page import PATIENCE_MILLISECONDS, WatchedPage, open_page, start_chromium

pytestmark = pytest.mark.system

expect.set_options(timeout=PATIENCE_MILLISECONDS)

# Where the proxy of a test puts the service; two segments, because one is easily handled by accident.
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

        def log_message(self, *_: object) -> None:
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
    """Debian's Chromium."""
    with start_chromium(require_program("chromium")) as chromium:
        yield chromium


@pytest.fixture
def watched(browser: Browser) -> Iterator[WatchedPage]:
    """A page of a browser that knows nothing yet."""
    with open_page(browser) as page:
        yield page


def try_prediction_out(page: Page) -> None:
    """Send the example row, as a person would, and see its answer."""
    operation = page.locator("#operations-predictions-post_prediction")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer.locator("tr.response td.response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text("is_inlier")


def test_prediction_can_be_tried_out(watched: WatchedPage, service: RunningService):
    """Trying it out shows a 200, no other host is asked for anything, and the browser has nothing to complain of."""
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

    expect(watched.page.locator(".info .title")).to_contain_text("Isowatch")
    assert watched.hosts() == {urlsplit(service.address).netloc}
