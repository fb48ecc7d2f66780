"""Callers with a key are allowed; without keys, only this host is; in doubt, nobody is."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

import pytest

from app.errors import CallerNotAllowed, KeysUnavailable, UnknownKey
from app.web.auth import ApiKeys

HERE = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with two keys, a comment and blanks."""
    path = tmp_path / "keys"
    path.write_bytes("# who labels\nfirst-key\n\n  zweiter-schlüssel \r\n".encode())
    return path


@pytest.mark.parametrize("key", ["first-key", "zweiter-schlüssel"])
def test_each_key_is_accepted(file: Path, key: str):
    """Keys work from any host, and are UTF-8 although the server decodes headers as Latin-1."""
    ApiKeys(str(file)).authorize({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_API_KEY": key.encode().decode("latin-1")})


@pytest.mark.parametrize("key", [None, "", "first-ke", "first-key ", "FIRST-KEY", "# who labels", "\u20ac"])
def test_anything_else_is_refused(file: Path, key: str | None):
    """Even this host needs a key."""
    with pytest.raises(UnknownKey, match="X-API-Key"):
        ApiKeys(str(file)).authorize(HERE | ({} if key is None else {"HTTP_X_API_KEY": key}))


def test_every_key_is_compared_in_constant_time(file: Path, monkeypatch: pytest.MonkeyPatch):
    """Keys after the matching one are compared, too, so that timing does not reveal its position."""
    compared = []

    def compare(given: bytes, key: bytes) -> bool:
        compared.append(key)
        return bool(given == key)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ApiKeys(str(file)).authorize({"HTTP_X_API_KEY": "first-key"})

    assert compared == [b"first-key", "zweiter-schlüssel".encode()]


def test_keys_change_without_a_restart(file: Path):
    """A changed or replaced file is used from the next request on."""
    keys = ApiKeys(str(file))
    keys.authorize({"HTTP_X_API_KEY": "first-key"})
    other = file.with_name("other")
    other.write_text("third-key")
    os.replace(other, file)

    keys.authorize({"HTTP_X_API_KEY": "third-key"})
    with pytest.raises(UnknownKey):
        keys.authorize({"HTTP_X_API_KEY": "first-key"})


@pytest.mark.parametrize("text", ["", "\n \n", "# nobody yet\n"])
def test_file_without_keys_allows_nobody(file: Path, text: str):
    """Neither this host nor an empty key is allowed."""
    file.write_text(text)
    with pytest.raises(KeysUnavailable, match="holds no key"):
        ApiKeys(str(file)).authorize(HERE | {"HTTP_X_API_KEY": ""})


def test_unreadable_file_allows_nobody(file: Path):
    """A key that worked before is refused until the file is back."""
    keys, request = ApiKeys(str(file)), {"HTTP_X_API_KEY": "first-key"}
    keys.authorize(request)
    file.rename(file.with_name("away"))
    with pytest.raises(KeysUnavailable, match="No such file"):
        keys.authorize(request)
    file.with_name("away").rename(file)
    keys.authorize(request)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])
def test_without_keys_this_host_is_allowed(address: str):
    """All of its own addresses are allowed."""
    ApiKeys("").authorize({"REMOTE_ADDR": address})


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "0.0.0.0", "", "localhost"])
def test_without_keys_other_hosts_are_refused(address: str):
    """A caller without an address, as on a Unix socket, is refused, too."""
    with pytest.raises(CallerNotAllowed, match="FEEDBACK_API_KEYS_FILE"):
        ApiKeys("").authorize({"REMOTE_ADDR": address})


@pytest.mark.parametrize("header", ["FORWARDED", "X_FORWARDED_FOR", "X_REAL_IP", "VIA"])
def test_without_keys_a_proxy_is_refused(header: str):
    """The caller behind a proxy may be anywhere, whatever the header says."""
    with pytest.raises(CallerNotAllowed):
        ApiKeys("").authorize(HERE | {f"HTTP_{header}": "127.0.0.1"})
