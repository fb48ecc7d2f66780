"""The address of a client is that of the connection, unless a trusted proxy says otherwise."""

from __future__ import annotations

import pytest

from app.server.client_address import TrustedProxies, is_loopback

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::1", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("2001:db8::1", "6.6.6.6,198.51.100.7 , 10.2.3.4", "198.51.100.7"),
        ("127.0.0.1", "10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("127.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "198.51.100.7, unknown", "127.0.0.1"),
        ("127.0.0.1", ",", "127.0.0.1"),
        ("", "198.51.100.7", ""),
    ],
)
def test_client_is_the_rightmost_address_that_is_not_a_proxy(peer: str, forwarded_for: str, client: str):
    """Entries that a client may have invented do not count."""
    assert PROXIES.client_address(peer, forwarded_for) == client


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses(peer: str):
    """In both protocols."""
    assert is_loopback(peer)
    assert not TrustedProxies().is_trusted(peer)


@pytest.mark.parametrize("peer", ["", "localhost", "128.0.0.1", "::2"])
def test_other_addresses(peer: str):
    """A name or a Unix socket is none."""
    assert not is_loopback(peer)
