"""A browser signs in with a key once; a signed cookie stands for it, and every write needs a token."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api.service import service_of
from app.web.session import SESSION_COOKIE, Sessions, read_secret
from tests.api.recorded_service import RecordedService, start_recorded_service

HTML = {"Accept": "text/html,*/*;q=0.8"}
ADA, EVE, BOSS = "a-key-of-ada", "a-key-of-eve", "a-key-of-the-boss"
KEYS = f"ada labeller {ADA}\neve viewer {EVE}\nboss admin {BOSS}\n"


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[RecordedService]:
    """A service with keys, and without records."""
    (tmp_path / "keys").write_text(KEYS)
    with start_recorded_service(
        tmp_path, api_keys_file=str(tmp_path / "keys"), state_dir=str(tmp_path / "state"), session_hours=2
    ) as service:
        yield service


def sign_in(service: RecordedService, key: str) -> FlaskClient:
    """Return a browser that is signed in."""
    client = service.client
    assert client.post("/sign-in", json={"key": key}).status_code == 200
    return client


def token_in(client: FlaskClient) -> str:
    """Return the token in a page."""
    match = re.search('data-csrf="([0-9a-f]{64})"', client.get("/", headers=HTML).text)
    assert match is not None
    return match[1]


def test_cookie_stands_for_the_key(keyed: RecordedService):
    """It can neither be read by scripts nor sent along by other sites, and it expires."""
    client = keyed.client
    assert client.get("/alarms").status_code == 401
    answer = client.post("/sign-in", json={"key": ADA})
    assert answer.json == {"name": "ada", "roles": ["labeller"]}
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Max-Age=7200", "Path=/"} < set(cookie.split("; "))
    assert "Secure" not in cookie
    assert ADA not in cookie
    assert client.get("/alarms").status_code == 200
    assert client.post("/sign-out").status_code == 204
    assert client.get("/alarms").status_code == 401


def test_cookie_is_secure_behind_tls(keyed: RecordedService):
    """Then no browser sends it in the clear."""
    assert (
        "Secure" in keyed.client.post("/sign-in", base_url="https://localhost", json={"key": ADA}).headers["Set-Cookie"]
    )


def test_writes_need_the_token_of_our_pages(keyed: RecordedService):
    """A page of another site has the cookie at best, and never the token."""
    client, label = sign_in(keyed, ADA), {"request_id": "x", "is_inlier": 1}
    for headers in ({}, {"X-CSRF-Token": "0" * 64}):
        refused = client.post("/feedback", json=label, headers=headers)
        assert (refused.status_code, "X-CSRF-Token" in refused.json["detail"]) == (403, True)
    assert client.post("/feedback", json=label, headers={"X-CSRF-Token": token_in(client)}).status_code == 404
    other = token_in(sign_in(keyed, ADA))
    assert client.post("/feedback", json=label, headers={"X-CSRF-Token": other}).status_code == 403


def test_roles_are_those_of_the_key(keyed: RecordedService):
    """A viewer sees alarms and cannot label; the page says so in words."""
    client = sign_in(keyed, EVE)
    refused = client.post("/feedback", json={}, headers={"X-CSRF-Token": token_in(client)})
    assert (refused.status_code, "eve" in refused.json["detail"]) == (403, True)
    assert 'data-can-label=""' in client.get("/alarms", headers=HTML).text
    assert 'data-can-label="yes"' in sign_in(keyed, ADA).get("/alarms", headers=HTML).text


def test_signed_in_browser_needs_no_key_for_predictions(tmp_path: Path, credits_models: Path):
    """Its token is enough; without a session, the form asks for a key."""
    (tmp_path / "models").symlink_to(credits_models)
    (tmp_path / "keys").write_text(f"boss admin {BOSS}\nscoring predict s3cret\n")
    settings = {"api_keys_file": str(tmp_path / "keys"), "state_dir": str(tmp_path / "state")}
    with start_recorded_service(tmp_path, **settings) as service:
        client, row = sign_in(service, BOSS), {"feature_vector": [-0.15, -0.1]}
        assert 'id="key-field" hidden' in client.get("/try").text
        assert client.post("/prediction", json=row, headers={"X-CSRF-Token": token_in(client)}).status_code == 200
        assert client.post("/prediction", json=row).status_code == 403
        assert 'id="key-field" hidden' not in service.client.get("/try").text


def test_session_ends_with_the_key(keyed: RecordedService, tmp_path: Path):
    """Whoever loses the key loses the session at once."""
    client = sign_in(keyed, ADA)
    (tmp_path / "new").write_text(f"ada labeller another-key\nboss admin {BOSS}\n")
    (tmp_path / "new").replace(tmp_path / "keys")
    assert client.get("/alarms").status_code == 401


@pytest.mark.parametrize("change", [lambda cookie: cookie[:-1], lambda cookie: "x" + cookie, lambda cookie: "é;\0"])
def test_forged_cookies_do_not_count(keyed: RecordedService, change: Any):
    """Nor do expired ones; people are asked to sign in again."""
    sessions = service_of(keyed.app).sessions
    client = sign_in(keyed, ADA)
    cookie = client.get_cookie(SESSION_COOKIE).value
    client.set_cookie(SESSION_COOKIE, change(cookie))
    assert client.get("/alarms").status_code == 401
    assert sessions.read(cookie) is not None
    sessions.max_age = -1
    assert sessions.read(cookie) is None


def test_wrong_keys_are_refused_and_counted(keyed: RecordedService):
    """Nobody can guess a key here any faster than with the header."""
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}}
    for _ in range(10):
        assert keyed.client.post("/sign-in", json={"key": "wrong"}, **elsewhere).status_code == 401
    assert keyed.client.post("/sign-in", json={"key": ADA}, **elsewhere).status_code == 429
    assert keyed.value("api_key_refused_requests_total", reason="wrong") == 10
    assert keyed.client.post("/sign-in", json={"key": ""}).status_code == 422
    assert (
        keyed.client.post("/sign-in", json={"key": ADA}, headers={"Origin": "http://evil.example"}).status_code == 403
    )


def test_people_get_a_page_instead_of_a_refusal(keyed: RecordedService):
    """With the way back to where they wanted to go."""
    answer = keyed.client.get("/alarms?label=none", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert "sign-in?next=alarms%3Flabel%3Dnone" in answer.text
    assert keyed.client.get("/alarms", headers={"Accept": "*/*"}).mimetype == "application/problem+json"


def test_without_keys_only_this_host_sees_views(tmp_path: Path):
    """And the page says why, and what to do."""
    with start_recorded_service(tmp_path) as service:
        assert "This host only" in service.client.get("/alarms", headers=HTML).text
        elsewhere = service.client.get("/alarms", headers=HTML, environ_base={"REMOTE_ADDR": "192.0.2.1"})
        assert (elsewhere.status_code, "API_KEYS_FILE" in elsewhere.text) == (403, True)
        assert service.client.post("/sign-in", json={"key": ADA}).status_code == 403


def test_console_can_be_off(tmp_path: Path):
    """Then there is a page of links, and no way to sign in."""
    with start_recorded_service(tmp_path, console=False) as service:
        page = service.client.get("/", headers=HTML)
        assert "CONSOLE=off" in page.text
        assert 'href="alarms"' not in page.text
        assert service.client.get("/alarms", headers=HTML).mimetype == "application/json"
        assert [service.client.get(path).status_code for path in ("/review", "/sign-in", "/try")] == [404] * 3


def test_workers_share_a_secret_that_nobody_else_can_read(tmp_path: Path):
    """Made once, in the first folder that can be written; without one, each process has its own."""
    blocked = tmp_path / "file"
    blocked.touch()
    first = read_secret([blocked / "state", tmp_path / "state"])
    assert read_secret([tmp_path / "state"]) == first
    assert stat.S_IMODE((tmp_path / "state" / "session.secret").stat().st_mode) == 0o600
    assert Sessions(first, 1).salt == Sessions(first, 1).salt
    assert read_secret([]) != read_secret([])


def test_replicas_share_a_secret_that_they_cannot_write(tmp_path: Path):
    """A session of one replica counts for another one; the file stays as it is, as in a Secret of Kubernetes."""
    shared = tmp_path / "session_secret"
    shared.write_bytes(b"5" * 64)
    shared.chmod(0o440)

    first, second = (Sessions(read_secret([tmp_path / name], shared), 1) for name in ("first", "second"))

    assert second.read(first.sign(b"digest of a key")) == b"digest of a key"
    assert sorted(tmp_path.iterdir()) == [shared]
    assert stat.S_IMODE(shared.stat().st_mode) == 0o440


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), (b"short", "it has 5 bytes, at least 32 are needed")]
)
def test_a_shared_secret_that_cannot_be_used_is_logged(tmp_path: Path, caplog, content, reason):
    """The replica then uses a secret of its own: predictions do not depend on the console."""
    shared = tmp_path / "session_secret"
    if content is not None:
        shared.write_bytes(content)

    assert read_secret([tmp_path / "state"], shared) == (tmp_path / "state" / "session.secret").read_bytes()
    assert f"SESSION_SECRET_FILE {shared} cannot be used ({reason})" in caplog.text


def test_service_reads_the_shared_secret(tmp_path: Path):
    """A cookie that another replica signed is accepted."""
    shared = tmp_path / "session_secret"
    shared.write_bytes(b"5" * 64)
    (tmp_path / "keys").write_text(KEYS)
    with start_recorded_service(
        tmp_path, api_keys_file=str(tmp_path / "keys"), session_secret_file=str(shared)
    ) as service:
        cookie = sign_in(service, ADA).get_cookie(SESSION_COOKIE)

    assert Sessions(b"5" * 64, 1).read(cookie.value) is not None
