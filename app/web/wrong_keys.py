"""Counts wrong API keys by address, so that nobody can guess one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_network

from app.server.client_address import parse_address

# A person who mistypes needs a few attempts; at this rate, guessing even a short key takes years.
MAX_WRONG_KEYS, WRONG_KEYS_SECONDS = 10, 60.0

# An attacker may have many addresses; the one that was quiet for longest is forgotten first. They take about 5 MB.
_MAX_ADDRESSES = 10_000

# A customer of an IPv6 provider gets at least this network, and may use any address in it.
_IPV6_PREFIX = 64


class WrongKeys:
    """The times at which addresses sent wrong keys, in this process."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._changing = threading.Lock()

    def add(self, address: str) -> None:
        """Count a wrong key."""
        with self._changing:
            times = self._times.setdefault(_network_of(address), deque(maxlen=MAX_WRONG_KEYS))
            times.append(time.monotonic())
            self._times.move_to_end(_network_of(address))
            if len(self._times) > _MAX_ADDRESSES:
                self._times.popitem(last=False)

    def seconds_to_wait(self, address: str) -> int:
        """Return in how many seconds, rounded up, an address may send keys again; 0 if now."""
        with self._changing:
            times = self._times.get(_network_of(address))
            if times is None or len(times) < MAX_WRONG_KEYS:
                return 0
            left = times[0] + WRONG_KEYS_SECONDS - time.monotonic()
            return int(left) + 1 if left > 0 else 0


def _network_of(address: str) -> str:
    """Return what counts as one address.

    Examples
    --------
    >>> _network_of("192.0.2.1"), _network_of("2001:db8::1234:1")
    ('192.0.2.1', '2001:db8::/64')
    """
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network(f"{parsed}/{_IPV6_PREFIX}", strict=False))
    return address
