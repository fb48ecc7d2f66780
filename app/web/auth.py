"""API keys: who sends a request, and what the key allows; without key files, only this host has access to records."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import NamedTuple
from wsgiref.types import WSGIEnvironment

from app.errors import CallerNotAllowed, KeysUnavailable, KeyWithoutRole, TooManyWrongKeys, UnknownKey
from app.server.client_address import TrustedProxies, is_loopback
from app.web.key_file import ADMIN, LABELLER, PREDICT, VIEWER, KeyFile, KeyHolder, Keys, digest_key
from app.web.wrong_keys import MAX_WRONG_KEYS, WrongKeys

KEY_HEADER = "X-API-Key"

NAMED_SETTING, PLAIN_SETTING = "API_KEYS_FILE", "FEEDBACK_API_KEYS_FILE"

# A proxy on this host adds one of these headers; the caller behind it may be anywhere.
PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_PROXY_VARIABLES = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in PROXY_HEADERS)

# The roles of keys that may do what a route needs. A labeller also has to see what it labels.
_SUFFICIENT = {
    PREDICT: frozenset({PREDICT, ADMIN}),
    VIEWER: frozenset({VIEWER, LABELLER, ADMIN}),
    LABELLER: frozenset({LABELLER, ADMIN}),
    ADMIN: frozenset({ADMIN}),
}

# The name of a request's caller in its environ; app.api.access sets it before the view runs.
CALLER_KEY = "isowatch.caller"


class Sender(NamedTuple):
    """What a connection and the headers tell about who sent a request.

    Parameters
    ----------
    key
        ``X-API-Key``, decoded as Latin-1; empty if there is none.
    peer
        The address of the other end of the connection; empty for a Unix socket.
    forwarded_for
        ``X-Forwarded-For``; empty if there is none.
    is_proxied
        Whether a header says that a proxy passed the request on.
    session
        The digest of the key with which a browser signed in; empty if it did not.
    """

    key: str
    peer: str
    forwarded_for: str = ""
    is_proxied: bool = False
    session: bytes = b""


def sender_of(environ: WSGIEnvironment) -> Sender:
    """Return the sender of a request."""
    return Sender(
        environ.get("HTTP_X_API_KEY", ""),
        environ.get("REMOTE_ADDR", ""),
        environ.get("HTTP_X_FORWARDED_FOR", ""),
        any(variable in environ for variable in _PROXY_VARIABLES),
    )


def caller_in(environ: WSGIEnvironment) -> str:
    """Return the name that belongs to the API key of a request; empty if it has none."""
    name: str = environ.get(CALLER_KEY, "")
    return name


class ApiKeys:
    """The keys in the two files, which are read again when they change.

    Parameters
    ----------
    named_file
        The file in ``API_KEYS_FILE``; empty if there is none.
    plain_file
        The file in ``FEEDBACK_API_KEYS_FILE``; empty if there is none.
    proxies
        Their ``X-Forwarded-For`` says which address sent a wrong key.
    has_only_unix_sockets
        Whether callers without an address are on this host. With a network address in ``BIND``, such a caller may also
        be one whose connection was lost.
    salt
        Of the digests that sessions hold: all workers must have the same. By default, this process has its own.
    """

    def __init__(
        self,
        named_file: str = "",
        plain_file: str = "",
        proxies: TrustedProxies | None = None,
        *,
        has_only_unix_sockets: bool = False,
        salt: bytes | None = None,
    ) -> None:
        self._salt = salt or secrets.token_bytes(16)
        self._named = KeyFile(named_file, NAMED_SETTING, has_names=True, salt=self._salt) if named_file else None
        self._plain = KeyFile(plain_file, PLAIN_SETTING, has_names=False, salt=self._salt) if plain_file else None
        self._proxies = proxies or TrustedProxies()
        self._has_only_unix_sockets = has_only_unix_sockets
        self._wrong_keys = WrongKeys()
        settings = [name for name, file in ((NAMED_SETTING, named_file), (PLAIN_SETTING, plain_file)) if file]
        self._settings = " and ".join(settings)

    def authorize(self, role: str, sender: Sender) -> str:
        """Return the name of a caller who may do what needs a role, and raise if it may not.

        Predictions are open to all unless a key has the role ``predict``.

        Returns
        -------
        The name that belongs to the key; empty for a caller who needs none and sent none.

        Raises
        ------
        UnknownKey
            If a key is needed and none or an unknown one was sent.
        TooManyWrongKeys
            If the caller's address sent ten wrong keys in the last minute.
        KeyWithoutRole
            If the key does not have the role.
        CallerNotAllowed
            If no file is configured and the request does not come from this host.
        KeysUnavailable
            If a configured file cannot be used.
        """
        if role == PREDICT and not self.predictions_need_a_key():
            return self._name_of(sender)
        if not self.has_files:
            if not self.is_here(sender):
                raise CallerNotAllowed(
                    f"Only callers on this host are allowed: name a file with keys in {NAMED_SETTING} or "
                    f"{PLAIN_SETTING} to allow others, who then send a key as {KEY_HEADER}."
                )
            return ""
        files = [self._named] if role == PREDICT else [self._named, self._plain]
        keys = [file.read() for file in files if file is not None]
        holder = self._check_session(keys, sender) if sender.session else self._check_key(keys, sender)
        if not holder.roles & _SUFFICIENT[role]:
            raise KeyWithoutRole(
                f"The key of {holder.name} has the roles {', '.join(sorted(holder.roles))}: this route needs "
                f"{' or '.join(sorted(_SUFFICIENT[role]))}."
            )
        return holder.name

    def sign_in(self, sender: Sender) -> tuple[KeyHolder, bytes]:
        """Return the holder of the key that was sent, and its digest for a session; raise as ``authorize`` does."""
        holder = self._check_key([file.read() for file in (self._named, self._plain) if file is not None], sender)
        return holder, self._digest(sender.key)

    def find_holder(self, sender: Sender) -> KeyHolder | None:
        """Return who signed in; None if nobody did, or the key has left its file."""
        files = [file for file in (self._named, self._plain) if file is not None and sender.session]
        with suppress(KeysUnavailable):
            return next((holder for file in files if (holder := file.read().get(sender.session))), None)
        return None

    @property
    def has_files(self) -> bool:
        """Whether a file with keys is configured."""
        return self._named is not None or self._plain is not None

    def is_here(self, sender: Sender) -> bool:
        """Return whether a request comes from this host, and not through a proxy."""
        is_local = is_loopback(sender.peer) or (self._has_only_unix_sockets and not sender.peer)
        return is_local and not sender.is_proxied

    def find_predictor(self, sender: Sender) -> str | None:
        """Return the name of a caller who may ask for predictions, empty if it needs none; None if it may not.

        Unlike ``authorize``, this counts nothing.
        """
        if not self.predictions_need_a_key():
            return self._name_of(sender)
        assert self._named is not None, "only the keys in this file have roles"
        if self._is_limited(sender) and self._wrong_keys.seconds_to_wait(self.address_of(sender)):
            return None
        holder = self._find([self._named.read()], sender.key)
        return holder.name if holder is not None and holder.roles & _SUFFICIENT[PREDICT] else None

    def address_of(self, sender: Sender) -> str:
        """Return the address that a request came from, for logs."""
        return self._proxies.client_address(sender.peer, sender.forwarded_for)

    def check_files(self) -> None:
        """Log what is wrong with the files, so that it is known before the first caller is refused."""
        for file in (self._named, self._plain):
            with suppress(KeysUnavailable):
                if file is not None:
                    file.read()

    def predictions_need_a_key(self) -> bool:
        """Return whether any key has the role ``predict``."""
        return self._named is not None and any(PREDICT in holder.roles for holder in self._named.read().values())

    def _name_of(self, sender: Sender) -> str:
        """Return the name that belongs to a key where none is needed; empty for no key or an unknown one."""
        if sender.session and (signed_in := self.find_holder(sender)):
            return signed_in.name
        if not sender.key:
            return ""
        for file in (self._named, self._plain):
            with suppress(KeysUnavailable):
                holder = self._find([file.read()], sender.key) if file is not None else None
                if holder is not None:
                    return holder.name
        return ""

    def _check_session(self, keys: list[Keys], sender: Sender) -> KeyHolder:
        """Return the holder of the key with which a browser signed in."""
        for known in keys:
            if holder := known.get(sender.session):
                return holder
        raise UnknownKey("The key of your session is not in the key file any more: sign in with another one.")

    def _check_key(self, keys: list[Keys], sender: Sender) -> KeyHolder:
        """Return the holder of the key that was sent; count wrong keys."""
        if not sender.key:
            raise UnknownKey(f"Send one of the keys in {self._settings} as {KEY_HEADER}.")
        is_limited = self._is_limited(sender)
        address = self.address_of(sender)
        seconds = self._wrong_keys.seconds_to_wait(address) if is_limited else 0
        if seconds:
            raise TooManyWrongKeys(
                f"{MAX_WRONG_KEYS} wrong keys came from your address within a minute: wait {seconds} s, and send one "
                f"of the keys in {self._settings} as {KEY_HEADER}.",
                seconds,
            )
        holder = self._find(keys, sender.key)
        if holder is None:
            if is_limited:
                self._wrong_keys.add(address)
            raise UnknownKey(f"Send one of the keys in {self._settings} as {KEY_HEADER}.")
        return holder

    def _find(self, keys: list[Keys], key: str) -> KeyHolder | None:
        """Return the holder of a key that was sent in a header."""
        digest = self._digest(key)
        return next((found for known in keys if (found := known.get(digest)) is not None), None)

    def _digest(self, key: str) -> bytes:
        """Return the digest of a key that was sent in a header."""
        return digest_key(key.encode("latin-1", "replace"), self._salt)

    def _is_limited(self, sender: Sender) -> bool:
        """Return whether wrong keys count; programs on this host could as well read the memory of the service."""
        return sender.is_proxied or not is_loopback(sender.peer)
