"""Pages of other sites, in Chromium and imitated byte by byte, neither read nor change anything; our own pages work.

All of it directly and through Caddy. The service has no keys, so callers on this host have every right, and Chromium
runs on this host. Chromium resolves names in ``.test`` to 127.0.0.1: that is what rebinding a name does.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.system.browser_page import TIMEOUT_MILLISECONDS, open_page, start_chromium
from tests.system.running_service import RunningService, free_port, start_service, wait_until

pytestmark = pytest.mark.system

expect.set_options(timeout=TIMEOUT_MILLISECONDS)

REBOUND, STRANGER, FRIEND = "rebound.test", "stranger.test", "friend.test"

CADDYFILE = """
{{
    admin off
    persist_config off
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{service}
}}
"""

# Sends a request and returns its status, its answer and a header of ours, or the browser's reason not to.
FETCH = """async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return [answer.status, await answer.text(), answer.headers.get("X-Record-ID")];
  } catch (error) {
    return [0, String(error), null];
  }
}"""

# A body without a type is sent without a Content-Type, which only simple requests may do.
SEND_BLIND = """async ([url, text, type]) => {
  await fetch(url, {method: "POST", mode: "no-cors", body: new Blob([text], {type})});
}"""

LOAD_IMAGE = """(url) => new Promise((resolve) => {
  const image = document.body.appendChild(new Image());
  image.onload = image.onerror = resolve;
  image.src = url;
})"""

# An inlier: only these are drawn for labelling.
ROW = '{"feature_vector": [-0.158, -0.1067]}'
TENSOR = '{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [-0.158, -0.1067]}]}'
BLIND_REQUESTS = [
    ("/prediction", ROW),
    ("/predictions", '{"feature_vectors": [[-0.158, -0.1067]]}'),
    ("/v2/models/{name}/infer", TENSOR),
    ("/feedback", '{{"request_id": "{record}", "is_inlier": -1}}'),
    ("/audit/next", '{{"n": 100}}'),
]


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], Path]) -> Iterator[Browser]:
    """Debian's Chromium, which is told that names in ``.test`` are this machine."""
    with start_chromium(require_program("chromium"), "--host-resolver-rules=MAP *.test 127.0.0.1") as chromium:
        yield chromium


@pytest.fixture(scope="module")
def stranger() -> Iterator[int]:
    """The port of a web server with an empty page, under every name."""

    class EmptyPage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Kittens</title><body></body>")

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path, stranger: int) -> Iterator[RunningService]:
    """A service with recorded rows, all of whose inliers wait to be labelled."""
    origin = f"http://{FRIEND}:{stranger}"
    folder = tmp_path_factory.mktemp("service")
    with start_service(folder, credits_models, AUDIT_SHARE="1", CORS_ORIGINS=origin) as running:
        yield running


@pytest.fixture(scope="module")
def record(service: RunningService) -> str:
    """The id of a recorded answer."""
    identifier = service.predict([-0.158, -0.1067]).headers["X-Record-ID"]
    wait_until(lambda: service.get(f"/predictions/{identifier}").status_code == 200, "the record", service)
    return identifier


@contextmanager
def start_caddy(program: Path, folder: Path, service_port: int) -> Iterator[int]:
    """Run Caddy in front of a service, and yield its port."""
    port = free_port()
    (folder / "Caddyfile").write_text(CADDYFILE.format(port=port, service=service_port))
    command: list[str | Path] = [program, "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(port), (folder / "caddy.log").read_text())
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module", params=["directly", pytest.param("through Caddy", marks=pytest.mark.long)])
def port(
    request: pytest.FixtureRequest,
    service: RunningService,
    require_program: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """The port under which the service is reached."""
    own = urlsplit(service.address).port
    assert own is not None
    if request.param == "directly":
        yield own
    else:
        with start_caddy(require_program("caddy"), tmp_path_factory.mktemp("caddy"), own) as in_front:
            yield in_front


def _answers(port: int) -> bool:
    """Return whether the service answers."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


class Untouched:
    """What a stranger could change: the number of scored rows, the labels, and the queue of rows to label."""

    def __init__(self, service: RunningService, record: str) -> None:
        self._service, self._record = service, record

    def look(self) -> tuple[object, ...]:
        """Return the present state."""
        rows = self._service.get(f"/predictions/{self._record}").json()["rows"]
        queue = self._service.get("/audit/next?n=100").json()["rows"]
        return self._service.metric("predicted_class_total"), rows, queue


@contextmanager
def nothing_changes(service: RunningService, record: str, refused: int) -> Iterator[None]:
    """Check that the block changes nothing, and that ``refused`` requests in it were answered with 403.

    Chromium may add one for the picture beside the title.
    """
    state = Untouched(service, record)
    # The recorder adds inliers to the queue within a second.
    wait_until(
        lambda: (
            len(service.get("/audit/next?n=100").json()["rows"])
            == service.metric("predicted_class_total", class_name="inlier")
        ),
        "the queue",
    )
    before, refusals = state.look(), service.metric("flask_http_request_total", status="403")
    yield
    assert service.metric("flask_http_request_total", status="403") - refusals >= refused
    assert state.look() == before


def fetch(page: Page, url: str, **options: object) -> list[object]:
    """Send a request as a script of the page."""
    answer: list[object] = page.evaluate(FETCH, [url, options])
    return answer


def post(page: Page, url: str, body: str, media_type: str = "application/json") -> list[object]:
    """Send a body as a script of the page."""
    return fetch(page, url, method="POST", body=body, headers={"Content-Type": media_type})


def test_rebound_name_reads_and_writes_nothing(browser: Browser, service: RunningService, record: str, port: int):
    """The page has our address under its own name: for the browser it is our page, but its Host gives it away."""
    with nothing_changes(service, record, refused=6), open_page(browser) as opened:
        page = opened.page
        assert page.goto(f"http://{REBOUND}:{port}/").status == 403
        answers = [
            fetch(page, f"/predictions/{record}"),
            fetch(page, "/audit/next"),
            post(page, "/audit/next", "{}"),
            post(page, "/feedback", f'{{"request_id": "{record}", "is_inlier": -1}}'),
            post(page, "/prediction", ROW),
        ]

    for status, text, _ in answers:
        assert status == 403
        assert f"Host '{REBOUND}:{port}'" in str(text)
        assert "ALLOWED_HOSTS" in str(text)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_blind_requests_of_another_site_write_nothing(
    browser: Browser, service: RunningService, record: str, port: int, stranger: int, media_type: str
):
    """Requests that a page may send without asking, and whose answers it cannot read."""
    name = service.get("/model_information").json()["model"]["name"]
    with nothing_changes(service, record, refused=len(BLIND_REQUESTS)), open_page(browser) as opened:
        opened.page.goto(f"http://{STRANGER}:{stranger}/")
        for path, body in BLIND_REQUESTS:
            filled = body.format(record=record) if "{record}" in body or "{{" in body else body
            url = f"http://127.0.0.1:{port}{path.format(name=name)}"
            opened.page.evaluate(SEND_BLIND, [url, filled, media_type])


def test_image_takes_no_rows(browser: Browser, service: RunningService, record: str, port: int, stranger: int):
    """The address of a picture is requested without asking; so is that of a frame."""
    with nothing_changes(service, record, refused=2), open_page(browser) as opened:
        opened.page.goto(f"http://{STRANGER}:{stranger}/")
        for path in ("/audit/next?n=100", f"/predictions/{record}"):
            opened.page.evaluate(LOAD_IMAGE, f"http://127.0.0.1:{port}{path}")


def test_scripts_of_another_site_may_not_ask(
    browser: Browser, service: RunningService, record: str, port: int, stranger: int
):
    """The browser asks first for a JSON body, and gets no permission; the answer to a GET cannot be read."""
    address = f"http://127.0.0.1:{port}"
    with nothing_changes(service, record, refused=1), open_page(browser) as opened:
        opened.page.goto(f"http://{STRANGER}:{stranger}/")
        for status, text, _ in (
            post(opened.page, f"{address}/prediction", ROW),
            fetch(opened.page, f"{address}/predictions/{record}"),
            fetch(opened.page, f"{address}/model_information"),
        ):
            assert (status, text) == (0, "TypeError: Failed to fetch")


def test_listed_origin_may_ask_and_read(browser: Browser, port: int, stranger: int):
    """A page of CORS_ORIGINS gets the answer and our headers."""
    with open_page(browser) as opened:
        opened.page.goto(f"http://{FRIEND}:{stranger}/")
        status, text, record_id = post(opened.page, f"http://127.0.0.1:{port}/prediction", ROW)

    assert (status, text) == (200, '{"is_inlier":1}')
    assert len(str(record_id)) == 32


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_own_pages_work(browser: Browser, port: int, host: str):
    """The form, and Swagger UI's button that sends a request."""
    with open_page(browser) as opened:
        page = opened.page
        page.goto(f"http://{host}:{port}/try")
        page.get_by_role("button", name="Typical row").click()
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("status")).to_have_text("Inlier: a normal row")

        page.goto(f"http://{host}:{port}/docs")
        page.get_by_text("Label one row.").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table .response .response-col_status")).to_contain_text("200")
        assert opened.errors == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.test"},
        {"Host": "rebound.test:8000", "Origin": "http://rebound.test:8000"},
        {"Host": "127.0.0.1.rebound.test"},
        {"Origin": "http://stranger.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_imitated_requests_are_refused(service: RunningService, record: str, port: int, headers: dict[str, str]):
    """Whatever is written or reveals records; also a prediction that would not need Flask."""
    address, name = f"http://127.0.0.1:{port}", service.get("/model_information").json()["model"]["name"]
    with nothing_changes(service, record, refused=len(BLIND_REQUESTS) + 2):
        answers = [
            requests.get(f"{address}{path}", headers=headers, timeout=30)
            for path in (f"/predictions/{record}", "/audit/next")
        ]
        json = headers | {"Content-Type": "application/json"}
        for path, body in BLIND_REQUESTS:
            answers.append(requests.post(address + path.format(name=name), body, headers=json, timeout=30))

    assert {answer.status_code for answer in answers} == {403}
    setting = "ALLOWED_HOSTS" if "Host" in headers else "CORS_ORIGINS"
    assert all(setting in answer.text for answer in answers)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"])
def test_monitoring_may_use_any_name(port: int, path: str):
    """Probes and scrapes come under addresses that nobody lists."""
    assert requests.get(f"http://127.0.0.1:{port}{path}", headers={"Host": "10.0.0.7"}, timeout=30).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/drift", "/quality", "/thresholds", "/model_information", "/console/core.js"],
)
def test_everything_else_has_our_names(port: int, path: str):
    """A rebound name reads nothing at all."""
    assert requests.get(f"http://127.0.0.1:{port}{path}", headers={"Host": REBOUND}, timeout=30).status_code == 403


def test_request_without_host_is_answered(service: RunningService):
    """HTTP/1.0 has none, and no browser speaks it."""
    import socket

    with socket.create_connection(("127.0.0.1", urlsplit(service.address).port or 0), timeout=30) as connection:
        connection.sendall(b"GET /model_information HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in connection.makefile("rb").readline()
