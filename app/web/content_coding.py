"""Decompress bodies: ``Content-Encoding: gzip`` and ``zstd``."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Protocol

from app.errors import BodyTooLarge, NotDecompressible, UnknownCoding

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from backports.zstd import ZstdDecompressor, ZstdError

# For zlib, gzip's header and checksum around the data.
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


# Each part costs a copy of those after it, so a body of thousands of tiny ones would take minutes.
_MAX_PARTS = 32


class _Decompressor(Protocol):
    """One member of gzip, or one frame of zstd."""

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows its end."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most ``max_length`` bytes."""
        ...


_MAKERS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP_WINDOW_BITS),
    "x-gzip": lambda: zlib.decompressobj(_GZIP_WINDOW_BITS),  # the same, says RFC 9110
    "zstd": ZstdDecompressor,
}


def decompress(body: bytes, content_encoding: str, max_bytes: int | None) -> bytes:
    """Decompress a body.

    Parameters
    ----------
    body
        The compressed body.
    content_encoding
        The header: ``gzip``, ``zstd``, ``identity``, or nothing; one coding besides ``identity``.
    max_bytes
        Maximum length of the result; None for no limit. No more than that is decompressed.

    Raises
    ------
    UnknownCoding
        If there is another coding, or more than one.
    NotDecompressible
        If the body is damaged, ends early, has something else after its end, or consists of more than 32 parts.
    BodyTooLarge
        If the result is longer than ``max_bytes``.

    Examples
    --------
    >>> import gzip
    >>> decompress(gzip.compress(b"[1, 2]"), "gzip", 100)
    b'[1, 2]'
    >>> decompress(gzip.compress(bytes(1000)), "gzip", 100)
    Traceback (most recent call last):
    app.errors.BodyTooLarge: The decompressed body is longer than 100 bytes: send less at once.
    """
    codings = [name for each in content_encoding.lower().split(",") if (name := each.strip()) not in ("", "identity")]
    if not codings:
        return body
    if len(codings) > 1 or codings[0] not in _MAKERS:
        raise UnknownCoding(
            f"Content-Encoding: {content_encoding} is not supported: use gzip or zstd, or send the body uncompressed."
        )
    parts: list[bytes] = []
    n_bytes, rest = 0, body
    # Both formats allow several compressed parts, one after the other.
    while rest or not parts:
        if len(parts) == _MAX_PARTS:
            raise NotDecompressible(f"The body consists of more than {_MAX_PARTS} compressed parts: send one.")
        decompressor = _MAKERS[codings[0]]()
        try:
            part = decompressor.decompress(rest, sys.maxsize if max_bytes is None else max_bytes + 1 - n_bytes)
        except (zlib.error, ZstdError) as error:
            raise NotDecompressible(f"The body cannot be decompressed as {codings[0]}: {error}.") from None
        parts.append(part)
        n_bytes += len(part)
        if max_bytes is not None and n_bytes > max_bytes:
            raise BodyTooLarge(f"The decompressed body is longer than {max_bytes} bytes: send less at once.")
        if not decompressor.eof:
            raise NotDecompressible(f"The body cannot be decompressed as {codings[0]}: it ends early.")
        rest = decompressor.unused_data
    return b"".join(parts)
