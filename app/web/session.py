"""Sessions of browsers: a signed cookie stands for an API key, so that people enter the key once.

The cookie holds the digest of the key, not the key. A session ends when it expires, and at once when the key leaves the
key file. Pages of other sites could send the cookie along, so each write also needs a token that only our pages know.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.server.regular_file import read_regular

SESSION_COOKIE, CSRF_HEADER = "isowatch_session", "X-CSRF-Token"

SECRET_FILE = "session.secret"

# As many bits as the digest has that signs with it.
_SECRET_BYTES = 32

# A secret that people make may be longer than ours, such as random bytes as text.
_MAX_SHARED_BYTES = 4096

SECONDS_PER_HOUR = 3600

log = logging.getLogger(__name__)


class Sessions:
    """Signs and reads the cookies of sessions.

    Parameters
    ----------
    secret
        At least 32 bytes that all workers share.
    hours
        How long a session lasts.

    Attributes
    ----------
    max_age
        The same in seconds.
    salt
        For the digests of keys.

    Examples
    --------
    >>> sessions = Sessions(bytes(32), 12)
    >>> sessions.read(cookie := sessions.sign(b"digest of a key"))
    b'digest of a key'
    >>> sessions.read(cookie[:-1]) is None, sessions.csrf_token(cookie) == sessions.csrf_token(cookie + "x")
    (True, False)
    """

    def __init__(self, secret: bytes, hours: int) -> None:
        self._secret, self.max_age = secret, hours * SECONDS_PER_HOUR
        # Digests of keys are the same in all workers, and nobody can compute them without the secret.
        self.salt = hashlib.sha256(b"digests of keys " + secret).digest()
        self._serializer = URLSafeTimedSerializer(
            secret, salt="isowatch session", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def sign(self, digest: bytes) -> str:
        """Return a new cookie for the digest of a key; no two are equal."""
        return str(self._serializer.dumps([digest.hex(), secrets.token_hex(8)]))

    def read(self, cookie: str) -> bytes | None:
        """Return the digest in a cookie; None if it is not ours or has expired."""
        try:
            digest, _ = self._serializer.loads(cookie, max_age=self.max_age)
            return bytes.fromhex(digest)
        except (BadSignature, ValueError, TypeError):
            return None

    def csrf_token(self, cookie: str) -> str:
        """Return the token that writes of a session need."""
        return hmac.new(self._secret, b"csrf " + cookie.encode(), hashlib.sha256).hexdigest()

    def is_csrf_token(self, cookie: str, token: str) -> bool:
        """Return whether a request with a cookie has the token that belongs to it."""
        return hmac.compare_digest(self.csrf_token(cookie).encode(), token.encode())


def read_secret(folders: Sequence[Path], shared: Path | None = None) -> bytes:
    """Return the secret that all workers share, from the first folder that can hold it; it is made if it is not there.

    Parameters
    ----------
    folders
        The first one that can be written is used. If there is none, the secret is this process's own.
    shared
        A file of a secret that several replicas share; it is only read. A warning is logged if it cannot be used: then
        a session counts for one replica.
    """
    if shared is not None:
        try:
            secret = read_regular(shared, _MAX_SHARED_BYTES)
            if len(secret) >= _SECRET_BYTES:
                return secret
            reason = f"it has {len(secret)} bytes, at least {_SECRET_BYTES} are needed"
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        log.warning(
            "SESSION_SECRET_FILE %s cannot be used (%s): sessions count for this replica only; write random bytes "
            "into it and restart",
            shared,
            reason,
        )
    for folder in folders:
        file = folder / SECRET_FILE
        with suppress(OSError, ValueError):
            folder.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                _make_secret(file)
            file.chmod(0o600)  # a copy or a backup may have lost the mode
            secret = read_regular(file, 2 * _SECRET_BYTES)
            if len(secret) >= _SECRET_BYTES:
                return secret
            log.warning("%s is too short: remove it, and the next start makes a new one", file)
    return secrets.token_bytes(_SECRET_BYTES)


def _make_secret(file: Path) -> None:
    """Write a new secret, unless another worker is faster: the first link wins."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.writing")
    try:
        descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(_SECRET_BYTES))
        with suppress(FileExistsError):
            os.link(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
