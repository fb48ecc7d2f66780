"""Whoever has a key is let in; without keys only this host itself is; in doubt nobody is."""

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
def test_each_key_opens(file: Path, key: str):
    """From any host, as UTF-8; the server gives headers as Latin-1."""
    ApiKeys(str(file)).authorize({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_API_KEY": key.encode().decode("latin-1")})


@pytest.mark.parametrize("key", [None, "", "first-ke", "first-key ", "FIRST-KEY", "# who labels", "\u20ac"])
def test_anything_else_does_not(file: Path, key: str | None):
    """Not from this host either."""
    with pytest.raises(UnknownKey, match="X-API-Key"):
        ApiKeys(str(file)).authorize(HERE | ({} if key is None else {"HTTP_X_API_KEY": key}))


def test_every_key_is_compared_in_constant_time(file: Path, monkeypatch: pytest.MonkeyPatch):
    """Also behind the one that fits, so that nothing tells its place."""
    compared = []

    def compare(given: bytes, key: bytes) -> bool:
        compared.append(key)
        return bool(given == key)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ApiKeys(str(file)).authorize({"HTTP_X_API_KEY": "first-key"})

    assert compared == [b"first-key", "zweiter-schlüssel".encode()]


def test_keys_come_and_go_without_a_restart(file: Path):
    """A changed file counts from the next request on, also one that was put in the place of the other."""
    keys = ApiKeys(str(file))
    keys.authorize({"HTTP_X_API_KEY": "first-key"})
    other = file.with_name("other")
    other.write_text("third-key")
    os.replace(other, file)

    keys.authorize({"HTTP_X_API_KEY": "third-key"})
    with pytest.raises(UnknownKey):
        keys.authorize({"HTTP_X_API_KEY": "first-key"})


@pytest.mark.parametrize("text", ["", "\n \n", "# nobody yet\n"])
def test_file_without_keys_lets_nobody_in(file: Path, text: str):
    """Not even this host, and not an empty key."""
    file.write_text(text)
    with pytest.raises(KeysUnavailable, match="holds no key"):
        ApiKeys(str(file)).authorize(HERE | {"HTTP_X_API_KEY": ""})


def test_file_that_cannot_be_read_lets_nobody_in(file: Path):
    """Also with a key that was right before; when it is back, all is well."""
    keys, request = ApiKeys(str(file)), {"HTTP_X_API_KEY": "first-key"}
    keys.authorize(request)
    file.rename(file.with_name("away"))
    with pytest.raises(KeysUnavailable, match="No such file"):
        keys.authorize(request)
    file.with_name("away").rename(file)
    keys.authorize(request)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])
def test_without_keys_this_host_is_let_in(address: str):
    """By any of its own addresses."""
    ApiKeys("").authorize({"REMOTE_ADDR": address})


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "0.0.0.0", "", "localhost"])
def test_without_keys_no_other_is(address: str):
    """Nor one whose address is not known, as behind a socket in a folder."""
    with pytest.raises(CallerNotAllowed, match="FEEDBACK_API_KEYS_FILE"):
        ApiKeys("").authorize({"REMOTE_ADDR": address})


@pytest.mark.parametrize("header", ["FORWARDED", "X_FORWARDED_FOR", "X_REAL_IP", "VIA"])
def test_without_keys_a_proxy_is_not(header: str):
    """It speaks for somebody who may be anywhere, whatever it says of him."""
    with pytest.raises(CallerNotAllowed):
        ApiKeys("").authorize(HERE | {f"HTTP_{header}": "127.0.0.1"})
