"""Host names that are ours are allowed; pages of other sites are recognised."""

from __future__ import annotations

import socket

import pytest

from app.settings import Settings
from app.web import hosts
from app.web.hosts import AllowedHosts, is_from_another_site

LOOPBACK = ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1", "127.0.0.1:9", "127.1.2.3", "[::1]", "[::1]:8000"]
STRANGE = [
    *("", " ", "evil.example", "localhost.evil.example", "evil.example:8000", "127.0.0.1.evil.example", "127.0.0.1:x"),
    *(
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost,evil.example",
        "[::1",
        "localhost:123456",
        "a" * 300,
    ),
]


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:8000", "0.0.0.0:8000", "[::]:80", ":8000", "unix:/run/x.sock", "10.0.0.1:1"]
)
def test_loopback_is_always_allowed_and_strangers_never(bind: str):
    """Whatever the service listens on."""
    allowed = AllowedHosts(Settings(bind=bind))

    assert [host for host in LOOPBACK if not allowed.is_allowed(host)] == []
    assert [host for host in STRANGE if allowed.is_allowed(host)] == []
    assert allowed.is_allowed(None)


@pytest.mark.parametrize(
    ("bind", "host", "is_allowed"),
    [
        ("10.0.0.1:8000", "10.0.0.1:8000", True),
        ("10.0.0.1:8000", "10.0.0.2:8000", False),
        ("models.example:8000", "MODELS.example", True),
        ("127.0.0.1:1,[2001:db8::1]:2", "[2001:db8:0::1]:2", True),
        ("127.0.0.1:8000", "10.0.0.1", False),
        ("unix:/run/x.sock", "unix", False),
        # A page cannot get an address as its name by rebinding.
        ("0.0.0.0:8000", "10.0.0.1:8000", True),
        ("[::]:8000", "[2001:db8::1]", True),
        (":8000", socket.gethostname(), True),
        ("127.0.0.1:8000", f"x{socket.gethostname()}", False),
    ],
)
def test_bound_address_is_allowed(bind: str, host: str, is_allowed: bool):
    """And with a wildcard every address and the machine's own name."""
    assert AllowedHosts(Settings(bind=bind)).is_allowed(host) is is_allowed


@pytest.mark.parametrize(
    ("entries", "host", "is_allowed"),
    [
        ("a.example", "A.Example.:1", True),
        ("a.example", "b.a.example", False),
        ("a.example:8443", "a.example:8443", True),
        ("a.example:8443", "a.example", False),
        ("*.example", "a.example", True),
        ("*.example", "a.b.example", True),
        ("*.example", "example", False),
        ("*.example", "anexample", False),
        ("*", "evil.example", True),
        (",service,,", "service:8000", True),
    ],
)
def test_listed_names_are_allowed(entries: str, host: str, is_allowed: bool):
    """With or without port, and below a domain."""
    allowed = AllowedHosts(Settings.from_environ({"ALLOWED_HOSTS": entries}))

    assert allowed.is_allowed(host) is is_allowed
    assert allowed.is_allowed(host) is is_allowed  # also the second time
    assert allowed.is_allowed("localhost")


def test_many_spellings_take_bounded_memory(monkeypatch: pytest.MonkeyPatch):
    """An attacker can vary the port, and with `*` everything."""
    monkeypatch.setattr(hosts, "_MAX_KNOWN", 3)
    allowed = AllowedHosts(Settings())
    for port in range(10):
        assert allowed.is_allowed(f"localhost:{port}")

    assert len(allowed._known) == 3


def test_refusal_says_what_to_do():
    """Which name was sent, shortened, which are allowed, and which setting to change."""
    message = AllowedHosts(Settings(allowed_hosts=("b.example",))).explain_refusal("e" * 9000)

    assert len(message) < 400
    assert "'eee" in message
    assert "only as 127.0.0.1, b.example, localhost and loopback addresses" in message
    assert "ALLOWED_HOSTS" in message


@pytest.mark.parametrize(
    ("origin", "site", "host", "is_other"),
    [
        (None, None, "a.example", False),
        (None, "none", "a.example", False),
        (None, "same-origin", "a.example", False),
        (None, "cross-site", "a.example", True),
        (None, "same-site", "a.example", True),
        (None, "nonsense", "a.example", True),
        ("http://a.example", None, "a.example", False),
        ("https://A.example", None, "a.example:443", False),
        ("http://a.example:8000", "same-origin", "a.example:8000", False),
        ("http://a.example:8000", None, "a.example", True),
        ("http://localhost:3000", "same-site", "localhost:8000", True),
        ("http://127.0.0.1:8000", None, "localhost:8000", True),
        ("http://evil.example", None, "a.example", True),
        ("http://evil.example", "same-origin", "a.example", True),
        ("null", None, "a.example", True),
        ("null", None, "null", True),
        ("", None, "a.example", False),
        ("http://a.example", None, None, True),
    ],
)
def test_other_sites_are_recognised(origin: str | None, site: str | None, host: str | None, is_other: bool):
    """By either header; a program that is no browser sends neither."""
    assert is_from_another_site(origin, site, host) is is_other
