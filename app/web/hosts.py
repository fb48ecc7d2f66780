"""Whether a request was meant for this service: checks of ``Host``, and of the site that sent it.

Any web page can make its visitor's browser send requests, also to services that only the visitor can reach. A page
whose name was pointed at our address (DNS rebinding) even reads the answers, but has to send its own name as ``Host``.
Requests of other pages carry ``Origin`` or ``Sec-Fetch-Site``, which pages cannot change.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from wsgiref.types import WSGIEnvironment

from app.server.client_address import TrustedProxies, is_loopback, parse_address
from app.settings import Settings

ANY_HOST = "*"

# A name or an IPv4 address, or an IPv6 address in brackets; then the port, if it is not the scheme's default.
_HOST = re.compile(r"(?P<name>[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)

# The path below which a proxy serves the application: segments of characters that need no escaping.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")

# Callers use a few spellings; an attacker could send any number of others, which are not stored.
_MAX_KNOWN = 1000

# More than any real name that somebody has to recognise in a message.
_MAX_SHOWN_CHARACTERS = 100

# Unix sockets and inherited file descriptors: whatever connects to them has a name of its own.
_NAMELESS = ("unix:", "fd://")

_SAME_SITE = ("", "same-origin", "none")  # "none": the user typed the address or opened a bookmark

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class AllowedHosts:
    """The host names under which the service answers.

    Loopback names and the address of ``BIND`` are always allowed, because a page can only have another name. If
    ``BIND`` is a wildcard (``0.0.0.0``, ``[::]``), every IP address and this machine's own name are, too: rebinding
    needs a name that the attacker controls.

    Parameters
    ----------
    settings
        ``BIND`` and ``ALLOWED_HOSTS``.

    Examples
    --------
    >>> hosts = AllowedHosts(Settings(bind="127.0.0.1:8000", allowed_hosts=("models.example.org",)))
    >>> [hosts.is_allowed(host) for host in ("localhost:8000", "models.example.org", "evil.example", "192.0.2.1")]
    [True, True, False, False]
    >>> hosts.is_allowed(None)
    True
    """

    def __init__(self, settings: Settings) -> None:
        addresses = [address.strip() for address in settings.bind.split(",")]
        bound = [_name_in(address) for address in addresses if not address.startswith(_NAMELESS)]
        self.is_wildcard = any(_is_wildcard(name) for name in bound)
        self._allowed = {"localhost", *(name for name in bound if not _is_wildcard(name))}
        if self.is_wildcard:
            self._allowed.add(socket.gethostname().lower())
        self._allowed |= {entry.lower() for entry in settings.allowed_hosts}
        self._suffixes = tuple(entry[1:] for entry in self._allowed if entry.startswith("*."))
        self._known: set[str] = set()

    def is_allowed(self, host: str | None) -> bool:
        """Return whether a ``Host`` header is allowed.

        A request without one (HTTP/1.0) is allowed, because every browser sends it.
        """
        if host is None or host in self._known:
            return True
        is_allowed = self._matches(host)
        if is_allowed and len(self._known) < _MAX_KNOWN:
            self._known.add(host)
        return is_allowed

    def describe(self) -> str:
        """Return what is allowed, in words."""
        if ANY_HOST in self._allowed:
            return "every host name"
        names = ", ".join(sorted(self._allowed))
        return f"{names} and {'every IP address' if self.is_wildcard else 'loopback addresses'}"

    def explain_refusal(self, host: str) -> str:
        """Return why a ``Host`` is refused, and what to do."""
        return (
            f"The service does not answer as Host {host[:_MAX_SHOWN_CHARACTERS]!r}, only as {self.describe()}: use one "
            "of these, or add the name to ALLOWED_HOSTS."
        )

    def _matches(self, host: str) -> bool:
        """Return whether a ``Host`` is well-formed and allowed; the port does not matter unless an entry names it."""
        if ANY_HOST in self._allowed:
            return True
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].lower().removesuffix(".")
        if name in self._allowed or host.lower() in self._allowed or name.endswith(self._suffixes):
            return True
        address = parse_address(name.strip("[]"))
        if address is None:
            return False
        return self.is_wildcard or is_loopback(str(address)) or f"[{address}]" in self._allowed


def has_only_unix_sockets(bind: str) -> bool:
    """Return whether ``BIND`` names Unix sockets and nothing else, so that every connection comes from this host.

    Examples
    --------
    >>> has_only_unix_sockets("unix:/run/isowatch.sock"), has_only_unix_sockets("unix:/run/isowatch.sock,0.0.0.0:80")
    (True, False)
    """
    return all(address.strip().startswith("unix:") for address in bind.split(","))


def is_from_another_site(origin: str | None, sec_fetch_site: str | None, host: str | None) -> bool:
    """Return whether a browser sent a request for a page that is not ours.

    Parameters
    ----------
    origin, sec_fetch_site, host
        The headers of these names; None if the request has none. Programs other than browsers send neither of the
        first two.

    Examples
    --------
    >>> is_from_another_site("http://evil.example", "cross-site", "127.0.0.1:8000")
    True
    >>> is_from_another_site("http://127.0.0.1:8000", "same-origin", "127.0.0.1:8000")
    False
    >>> is_from_another_site(None, None, "127.0.0.1:8000")
    False
    """
    if (sec_fetch_site or "") not in _SAME_SITE:
        return True
    if not origin:
        return False
    # "null" is the origin of sandboxed frames and of files, which belong to nobody we know.
    scheme, _, origin_host = origin.lower().partition("://")
    default_port = _DEFAULT_PORTS.get(scheme, "")
    return origin_host.removesuffix(default_port) != (host or "").lower().removesuffix(default_port)


def public_root(environ: WSGIEnvironment, own: str, proxies: TrustedProxies) -> str:
    """Return the URL under which the sender of a request reaches the service, for examples that people copy.

    Parameters
    ----------
    environ
        The request. ``X-Forwarded-Host``, ``-Proto`` and ``-Prefix`` count if a trusted proxy sent them, each on its
        own: of several values the last, which the nearest proxy wrote. What is malformed does not count.
    own
        The URL as the service itself sees it, with a slash at the end.
    proxies
        The trusted proxies.

    Examples
    --------
    >>> proxies = TrustedProxies(["10.0.0.0/8"])
    >>> sent = {"HTTP_X_FORWARDED_HOST": "models.example.org", "HTTP_X_FORWARDED_PROTO": "https"}
    >>> public_root(sent | {"REMOTE_ADDR": "10.0.0.1"}, "http://service:8000/", proxies)
    'https://models.example.org/'
    >>> public_root(sent | {"REMOTE_ADDR": "192.0.2.1"}, "http://service:8000/", proxies)
    'http://service:8000/'
    """
    if not proxies.is_trusted(environ.get("REMOTE_ADDR", "")):
        return own
    host, scheme, prefix = (
        environ.get(f"HTTP_X_FORWARDED_{name}", "").rpartition(",")[2].strip() for name in ("HOST", "PROTO", "PREFIX")
    )
    own_scheme, _, rest = own.partition("://")
    own_host, _, path = rest.partition("/")
    scheme = scheme.lower() if scheme.lower() in _DEFAULT_PORTS else own_scheme
    host = host if _HOST.fullmatch(host) else own_host
    if prefix.strip("/") and _PREFIX.fullmatch(prefix):
        path = f"{prefix.strip('/')}/"
    return f"{scheme}://{host}/{path}"


def is_listed_origin(origin: str | None, listed: Sequence[str]) -> bool:
    """Return whether an origin is one of ``CORS_ORIGINS``."""
    return origin is not None and origin.lower() in listed


def _name_in(address: str) -> str:
    """Return the host of ``host:port``.

    Examples
    --------
    >>> _name_in("127.0.0.1:8000"), _name_in("[::]:80"), _name_in(":8000")
    ('127.0.0.1', '[::]', '')
    """
    match = _HOST.fullmatch(address)
    return match["name"].lower() if match else address.partition(":")[0].lower()


def _is_wildcard(name: str) -> bool:
    """Return whether a bound host means all addresses of the machine, as it does for Gunicorn if it is empty."""
    address = parse_address(name.strip("[]"))
    return name == "" or (address is not None and address.is_unspecified)
