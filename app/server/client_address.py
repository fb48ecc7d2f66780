"""The address of a client, also behind trusted proxies; limits per address count by it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_Address = IPv4Address | IPv6Address


class TrustedProxies:
    """The proxies whose ``X-Forwarded-For`` is believed.

    Parameters
    ----------
    networks
        Addresses and networks (``TRUSTED_PROXIES``).

    Examples
    --------
    >>> proxies = TrustedProxies(["10.0.0.0/8"])
    >>> proxies.is_trusted("10.1.2.3"), proxies.is_trusted("192.0.2.1")
    (True, False)
    >>> proxies.client_address("10.1.2.3", "6.6.6.6, 198.51.100.7, 10.9.9.9")
    '198.51.100.7'
    >>> proxies.client_address("192.0.2.1", "6.6.6.6")
    '192.0.2.1'
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(network, strict=False) for network in networks]

    def is_trusted(self, peer: str) -> bool:
        """Return whether the other end of a connection is a trusted proxy."""
        address = parse_address(peer)
        return address is not None and any(address in network for network in self._networks)

    def client_address(self, peer: str, forwarded_for: str) -> str:
        """Return the address that a request came from.

        Each proxy appends the address that it saw, so entries left of the first untrusted one, read from the right,
        may be invented by the client.

        Parameters
        ----------
        peer
            The address of the other end of the connection; empty for a Unix socket.
        forwarded_for
            The header ``X-Forwarded-For``; empty if there is none.

        Returns
        -------
        The peer, or if it is trusted, the rightmost entry that is not; the leftmost entry if all are trusted.
        """
        client = peer
        entries = [entry.strip() for entry in forwarded_for.split(",")]
        while self.is_trusted(client) and entries:
            address = _parse_entry(entries.pop())
            if address is None:
                break  # not written by a proxy that we know
            client = str(address)
        return client


def parse_address(text: str) -> _Address | None:
    """Return an address, as IPv4 if it is one in IPv6 notation; None for anything else.

    Examples
    --------
    >>> parse_address("::ffff:127.0.0.1"), parse_address("localhost")
    (IPv4Address('127.0.0.1'), None)
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_loopback(peer: str) -> bool:
    """Return whether an address is one of this host's loopback addresses."""
    address = parse_address(peer)
    return address is not None and address.is_loopback


def _parse_entry(entry: str) -> _Address | None:
    """Return the address in an entry of ``X-Forwarded-For``, to which some proxies add the port."""
    if entry.startswith("["):
        return parse_address(entry[1:].partition("]")[0])
    return parse_address(entry) or parse_address(entry.partition(":")[0])
