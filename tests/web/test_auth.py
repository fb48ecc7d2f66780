"""Callers with a key that has the role are allowed; without keys, only this host is; in doubt, nobody is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.errors import CallerNotAllowed, KeysUnavailable, KeyWithoutRole, TooManyWrongKeys, UnknownKey
from app.server.client_address import TrustedProxies
from app.web import wrong_keys
from app.web.auth import ApiKeys, Sender, sender_of
from app.web.key_file import ADMIN, LABELLER, PREDICT, VIEWER
from app.web.wrong_keys import MAX_WRONG_KEYS

HERE, FAR = "127.0.0.1", "192.0.2.1"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A file with two keys without names, a comment and blanks."""
    path = tmp_path / "keys"
    path.write_bytes("# who labels\nfirst-key\n\n  zweiter-schlüssel \r\n".encode())
    return path


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A file with a key of each role."""
    path = tmp_path / "named_keys"
    path.write_text("".join(f"{role}-holder {role} key-of-{role}\n" for role in (PREDICT, VIEWER, LABELLER, ADMIN)))
    return path


def far(key: str) -> Sender:
    """Return a sender on another host."""
    return Sender(key, FAR)


@pytest.mark.parametrize(("key", "name"), [("first-key", "feedback-key-2"), ("zweiter-schlüssel", "feedback-key-4")])
@pytest.mark.parametrize("role", [VIEWER, LABELLER])
def test_each_key_without_a_name_is_a_labeller(plain: Path, key: str, name: str, role: str):
    """Keys work from any host, and are UTF-8 although the server decodes headers as Latin-1."""
    assert ApiKeys("", str(plain)).authorize(role, far(key.encode().decode("latin-1"))) == name


@pytest.mark.parametrize("key", ["", "first-ke", "first-key ", "FIRST-KEY", "# who labels", "\u20ac"])
def test_anything_else_is_refused(plain: Path, key: str):
    """Even this host needs a key."""
    with pytest.raises(UnknownKey, match="X-API-Key"):
        ApiKeys("", str(plain)).authorize(LABELLER, Sender(key, HERE))


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(PREDICT, {PREDICT, ADMIN}), (VIEWER, {VIEWER, LABELLER, ADMIN}), (LABELLER, {LABELLER, ADMIN})],
)
def test_roles_allow_what_they_say(named: Path, role: str, allowed: set[str]):
    """A key without the role is told which ones it has and which it needs."""
    keys = ApiKeys(str(named))
    for own in (PREDICT, VIEWER, LABELLER, ADMIN):
        if own in allowed:
            assert keys.authorize(role, far(f"key-of-{own}")) == f"{own}-holder"
        else:
            with pytest.raises(KeyWithoutRole, match=f"{own}-holder has the roles {own}: this route needs .*{role}"):
                keys.authorize(role, far(f"key-of-{own}"))


def test_predictions_need_a_key_only_if_one_is_for_predictions(plain: Path, named: Path):
    """Until then they are open; a known key still gives the caller its name."""
    keys = ApiKeys(str(named), str(plain))
    with pytest.raises(UnknownKey):
        keys.authorize(PREDICT, Sender("", HERE))
    named.write_text("anna admin,viewer key\n")

    assert keys.authorize(PREDICT, far("")) == keys.authorize(PREDICT, far("wrong")) == ""
    assert keys.authorize(PREDICT, far("key")) == "anna"
    assert keys.authorize(PREDICT, far("first-key")) == "feedback-key-2"
    assert ApiKeys("", str(plain)).authorize(PREDICT, far("")) == ""
    assert ApiKeys().authorize(PREDICT, far("key")) == ""


def test_both_files_count(plain: Path, named: Path):
    """Keys without names work next to those with names."""
    keys = ApiKeys(str(named), str(plain))

    assert keys.authorize(LABELLER, far("first-key")) == "feedback-key-2"
    assert keys.authorize(LABELLER, far("key-of-labeller")) == "labeller-holder"


def test_keys_change_without_a_restart(plain: Path):
    """A changed or replaced file is used from the next request on."""
    keys = ApiKeys("", str(plain))
    keys.authorize(LABELLER, far("first-key"))
    other = plain.with_name("other")
    other.write_text("third-key")
    os.replace(other, plain)

    keys.authorize(LABELLER, far("third-key"))
    with pytest.raises(UnknownKey):
        keys.authorize(LABELLER, far("first-key"))


@pytest.mark.parametrize("text", ["", "\n \n", "# nobody yet\n"])
def test_file_without_keys_allows_nobody(plain: Path, text: str):
    """Neither this host nor an empty key is allowed."""
    plain.write_text(text)
    with pytest.raises(KeysUnavailable, match="holds no key"):
        ApiKeys("", str(plain)).authorize(LABELLER, Sender("", HERE))


def test_unusable_file_allows_nobody(named: Path, caplog: pytest.LogCaptureFixture):
    """A key that worked before is refused until the file is back or repaired; the log says why, once."""
    keys, request = ApiKeys(str(named)), far("key-of-admin")
    keys.authorize(VIEWER, request)
    named.rename(named.with_name("away"))
    for role in (PREDICT, VIEWER, VIEWER):
        with pytest.raises(KeysUnavailable, match=r"API_KEYS_FILE cannot be read \(No such file"):
            keys.authorize(role, request)
    assert len(caplog.messages) == 1
    named.with_name("away").rename(named)
    keys.authorize(VIEWER, request)

    good = named.read_text()
    named.write_text(good + "oops\n")
    with pytest.raises(KeysUnavailable, match="has a line 5 with 1 part:"):
        keys.authorize(VIEWER, request)
    named.write_text(good)
    keys.authorize(VIEWER, request)
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])
def test_without_keys_this_host_is_allowed(address: str):
    """All of its own addresses are allowed."""
    assert ApiKeys().authorize(LABELLER, Sender("", address)) == ""


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "0.0.0.0", "", "localhost"])
def test_without_keys_other_hosts_are_refused(address: str):
    """A caller without an address, as on a Unix socket, is refused, too."""
    with pytest.raises(CallerNotAllowed, match="API_KEYS_FILE or FEEDBACK_API_KEYS_FILE"):
        ApiKeys().authorize(VIEWER, Sender("", address))


@pytest.mark.parametrize("header", ["FORWARDED", "X_FORWARDED_FOR", "X_REAL_IP", "VIA"])
def test_without_keys_a_proxy_is_refused(header: str):
    """The caller behind a proxy may be anywhere, whatever the header says, even if the proxy is trusted."""
    sender = sender_of({"REMOTE_ADDR": HERE, f"HTTP_{header}": HERE})
    with pytest.raises(CallerNotAllowed):
        ApiKeys(proxies=TrustedProxies([HERE])).authorize(VIEWER, sender)


def fail(keys: ApiKeys, sender: Sender, times: int = MAX_WRONG_KEYS) -> None:
    """Send a wrong key some times."""
    for _ in range(times):
        with pytest.raises(UnknownKey):
            keys.authorize(VIEWER, sender)


def test_wrong_keys_are_limited(plain: Path, monkeypatch: pytest.MonkeyPatch):
    """After ten in a minute not even the right key is tried; other addresses and missing keys do not count."""
    now = 1000.0
    monkeypatch.setattr("app.web.wrong_keys.time.monotonic", lambda: now)
    keys = ApiKeys("", str(plain))
    fail(keys, far(""), 20)
    fail(keys, far("wrong"))
    with pytest.raises(TooManyWrongKeys, match="10 wrong keys") as refused:
        keys.authorize(VIEWER, far("first-key"))
    assert refused.value.headers == {"Retry-After": "61"}
    keys.authorize(VIEWER, Sender("first-key", "192.0.2.2"))

    now += 60.0
    keys.authorize(VIEWER, far("first-key"))


def test_addresses_of_one_network_count_together(plain: Path):
    """Whoever has one IPv6 address has a whole network of them."""
    keys = ApiKeys("", str(plain))
    for number in range(MAX_WRONG_KEYS):
        fail(keys, Sender("wrong", f"2001:db8::{number:x}"), 1)
    with pytest.raises(TooManyWrongKeys):
        keys.authorize(VIEWER, Sender("first-key", "2001:db8::ffff"))


def test_this_host_is_not_limited(plain: Path):
    """Only without a proxy, behind which anybody may be."""
    keys = ApiKeys("", str(plain))
    fail(keys, Sender("wrong", HERE), 20)
    keys.authorize(VIEWER, Sender("first-key", HERE))

    proxied = Sender("wrong", HERE, "198.51.100.7", is_proxied=True)
    fail(keys, proxied)
    with pytest.raises(TooManyWrongKeys):
        keys.authorize(VIEWER, proxied)


def test_clients_of_a_trusted_proxy_count_separately(plain: Path):
    """The address that the proxy saw counts, not one that the client invents."""
    keys = ApiKeys("", str(plain), TrustedProxies([HERE]))
    for number in range(MAX_WRONG_KEYS):
        fail(keys, Sender("wrong", HERE, f"203.0.113.{number}, 198.51.100.7", is_proxied=True), 1)
    with pytest.raises(TooManyWrongKeys):
        keys.authorize(VIEWER, Sender("first-key", HERE, "198.51.100.7", is_proxied=True))
    keys.authorize(VIEWER, Sender("first-key", HERE, "198.51.100.8", is_proxied=True))


def test_many_addresses_take_bounded_memory(plain: Path, monkeypatch: pytest.MonkeyPatch):
    """The address that was quiet for longest is forgotten."""
    monkeypatch.setattr(wrong_keys, "_MAX_ADDRESSES", 2)
    keys = ApiKeys("", str(plain))
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        fail(keys, Sender("wrong", address))

    keys.authorize(VIEWER, Sender("first-key", "192.0.2.1"))
    with pytest.raises(TooManyWrongKeys):
        keys.authorize(VIEWER, Sender("first-key", "192.0.2.2"))
