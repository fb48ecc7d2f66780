"""Signatures of bundles by Ed25519 (RFC 8032): who may make models, and not only whether a file was changed.

Imported only where a bundle is signed or a signature is required, because PyNaCl is not needed otherwise.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from app.errors import InvalidBundle, InvalidSetting
from app.model.bundle import (
    DIGEST_FIELD,
    MANIFEST_FILE,
    PUBLIC_KEY_VARIABLE,
    SIGNATURE_FIELD,
    find_problems,
    read_manifest,
    to_bytes,
)
from app.server.atomic_file import replacing

# So that a signature that the same key made for another purpose never counts for a bundle.
_PURPOSE = b"isowatch bundle "

_KEY_BYTES = 32


def make_key() -> tuple[str, str]:
    """Return a new private key and its public key, both as base64."""
    key = SigningKey.generate()
    return _encode(bytes(key)), _encode(bytes(key.verify_key))


def sign(digest: str, private_key: str) -> str:
    """Return the signature of a manifest's digest, as base64.

    Parameters
    ----------
    digest
        The manifest's own sha256, in hexadecimal. The manifest has those of all other files.
    private_key
        32 bytes as base64.

    Raises
    ------
    ValueError
        If the key is none.

    Examples
    --------
    >>> private_key, public_key = make_key()
    >>> problem_of("ab12", sign("ab12", private_key), public_key)
    ''
    >>> problem_of("ab13", sign("ab12", private_key), public_key)
    'it is not signed by the key in BUNDLE_PUBLIC_KEY'
    """
    return _encode(SigningKey(_decode(private_key, _KEY_BYTES)).sign(_PURPOSE + digest.encode()).signature)


def sign_bundle(folder: Path, private_key: str) -> None:
    """Add a signature to a bundle, or replace it.

    Parameters
    ----------
    folder
        The bundle.
    private_key
        As for :func:`sign`.

    Raises
    ------
    InvalidBundle
        If a file is missing or was changed: nobody should vouch for that.
    ValueError
        If the key is none.
    """
    if problems := find_problems(folder, needs_signature=False):
        raise InvalidBundle(problems[0])
    manifest = read_manifest(folder, needs_signature=False)
    signed = manifest | {SIGNATURE_FIELD: sign(manifest[DIGEST_FIELD], private_key)}
    with replacing(folder / MANIFEST_FILE) as unfinished:
        unfinished.write_bytes(to_bytes(signed))


def require_signature(file: Path, digest: str, signature: object) -> None:
    """Refuse a manifest that the key in ``BUNDLE_PUBLIC_KEY`` did not sign.

    Parameters
    ----------
    file
        The manifest, for the message.
    digest
        Its own sha256, which was checked.
    signature
        What it has as signature; None if it has none.

    Raises
    ------
    InvalidBundle
        If it is not signed, or by another key.
    InvalidSetting
        If ``BUNDLE_PUBLIC_KEY`` is not a key.
    """
    if problem := problem_of(digest, signature, os.environ[PUBLIC_KEY_VARIABLE].strip()):
        raise InvalidBundle(
            f"{file} is refused: {problem}. If you trust this bundle, sign it with `python -m training sign`."
        )


def problem_of(digest: str, signature: object, public_key: str) -> str:
    """Return why a signature does not count; empty if it does."""
    try:
        key = VerifyKey(_decode(public_key, _KEY_BYTES))
    except ValueError:
        raise InvalidSetting(
            f"{PUBLIC_KEY_VARIABLE}={public_key!r} is not a key: give what `python -m training sign --new-key` printed."
        ) from None
    if signature is None:
        return f"it is not signed, and {PUBLIC_KEY_VARIABLE} requires it"
    try:
        key.verify(_PURPOSE + digest.encode(), _decode(signature, 2 * _KEY_BYTES))
    except (ValueError, BadSignatureError):
        return f"it is not signed by the key in {PUBLIC_KEY_VARIABLE}"
    return ""


def _encode(content: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(content).decode("ascii")


def _decode(text: object, length: int) -> bytes:
    """Return the bytes of base64; raise ValueError unless there are exactly so many."""
    try:
        content = base64.b64decode(str(text), validate=True)
    except binascii.Error:
        content = b""
    if len(content) != length:
        raise ValueError(f"not {length} bytes as base64")
    return content
