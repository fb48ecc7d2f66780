"""Files of API keys: what a line may look like, and which line is wrong and why."""

from __future__ import annotations

import codecs
import hashlib
import logging
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from app.errors import KeysUnavailable

PREDICT, VIEWER, LABELLER, ADMIN = "predict", "viewer", "labeller", "admin"
ROLES = (PREDICT, VIEWER, LABELLER, ADMIN)

# A part in quotes or up to the next blank; a comment starts at the beginning of a part.
# Word processors turn quotes into typographic ones.
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_PART = re.compile("|".join([*(f"{start}[^{end}]*{end}" for start, end in _QUOTES.items()), r"\S+"]))
_COMMENT = re.compile(r"(?:^|\s)#.*$")

# What is safe in a log line and as the value of a label. 64 characters are enough for a team or a program.
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_NAME_RULE = "1 to 64 letters, digits, dots, hyphens, underscores or @"

# Keys are found by their digest: the time of a lookup reveals nothing about a key, because nobody outside knows the
# digests, and it does not grow with the number of keys.
_SALT = secrets.token_bytes(16)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyHolder:
    """Whom a key belongs to, and what it allows.

    Parameters
    ----------
    name
        As it appears in logs, records and metrics.
    roles
        Some of ``ROLES``.
    """

    name: str
    roles: frozenset[str]


Keys = Mapping[bytes, KeyHolder]


class InvalidKeyFile(ValueError):
    """The content of a key file cannot be understood; the message names the line, and never a key."""


class KeyFile:
    """One file of keys, which is read again when it changes.

    Parameters
    ----------
    path
        The file.
    setting
        The setting that names it, for messages.
    has_names
        Whether a line is ``name roles key``; if not, it is a key alone, whose holder is named after its line and has
        the role ``labeller``.
    salt
        Of the digests, 16 to 64 bytes.
    """

    def __init__(self, path: str, setting: str, *, has_names: bool, salt: bytes = _SALT) -> None:
        self._path, self._setting, self._has_names, self._salt = Path(path), setting, has_names, salt
        self._reading = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._keys: Keys = {}
        self._problem = ""

    def read(self) -> Keys:
        """Return the keys that the file holds now, by their digests.

        Raises
        ------
        KeysUnavailable
            If the file cannot be read, holds no key, or has a line that cannot be understood. No key of a broken file
            is accepted, not even those of other lines: a key that was meant to be removed might be among them.
        """
        with self._reading:
            try:
                status = self._path.stat()
                version = (status.st_mtime_ns, status.st_size, status.st_ino)
                if version != self._version:
                    self._load(self._path.read_bytes())
                    self._version = version
            except OSError as error:
                self._version = None
                self._report(
                    f"cannot be read ({os.strerror(error.errno) if error.errno else 'unknown reason'}): fix it"
                )
            if self._problem:
                raise KeysUnavailable(f"The file in {self._setting} {self._problem}.")
            return self._keys

    def _load(self, content: bytes) -> None:
        """Take over the content of the file, or remember what is wrong with it."""
        try:
            self._keys = parse_keys(content, has_names=self._has_names, salt=self._salt)
        except InvalidKeyFile as error:
            self._report(str(error))
        else:
            self._problem = ""

    def _report(self, problem: str) -> None:
        """Remember a problem, and log it once."""
        if problem != self._problem:
            log.warning("the file in %s %s; until then, no key in it is accepted", self._setting, problem)
        self._problem = problem


def digest_key(key: bytes, salt: bytes = _SALT) -> bytes:
    """Return the digest under which a key is found, wherever the salt is known: by default in this process."""
    return hashlib.blake2b(key, key=salt, digest_size=32).digest()


def parse_keys(content: bytes, *, has_names: bool, salt: bytes = _SALT) -> Keys:
    r"""Return the holders of the keys in a file, by the digests of the keys.

    Blank lines and comments (``#``) are ignored, a part may be in quotes, and lines may end as on Windows.

    Parameters
    ----------
    content
        Text in UTF-8, or with a byte order mark in UTF-16.
    has_names, salt
        As in :class:`KeyFile`.

    Raises
    ------
    InvalidKeyFile
        Naming the line and what is wrong with it.

    Examples
    --------
    >>> [holder] = parse_keys(b"# desk\nanna viewer,labeller 'a long key'  # on leave\n", has_names=True).values()
    >>> holder.name, sorted(holder.roles)
    ('anna', ['labeller', 'viewer'])
    >>> parse_keys(b"anna\tviewer", has_names=True)
    Traceback (most recent call last):
    app.web.key_file.InvalidKeyFile: has a line 1 with 2 parts: write `name roles key`, with commas between roles
    """
    keys: dict[bytes, KeyHolder] = {}
    lines_of: dict[bytes, int] = {}
    for number, line in _lines(content):
        parts = _split(number, line, has_names=has_names)
        if not parts:
            continue
        holder, key = _read_named(number, parts) if has_names else _read_plain(number, parts)
        digest = digest_key(key.encode(), salt)
        if digest in lines_of:
            raise InvalidKeyFile(f"has the same key in lines {lines_of[digest]} and {number}: give each holder its own")
        lines_of[digest], keys[digest] = number, holder
    if not keys:
        form = "`name roles key`" if has_names else "one key"
        raise InvalidKeyFile(f"holds no key: write {form} per line into it")
    return MappingProxyType(keys)


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError:
            raise InvalidKeyFile("is damaged UTF-16: save it as UTF-8") from None
        yield from enumerate(re.split(r"\r\n|\r|\n", text), start=1)
        return
    if b"\0" in content:
        raise InvalidKeyFile("contains NUL bytes, as UTF-16 without a byte order mark does: save it as UTF-8")
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", content.removeprefix(codecs.BOM_UTF8)), start=1):
        try:
            yield number, line.decode()
        except UnicodeDecodeError:
            raise InvalidKeyFile(f"has a line {number} that is not UTF-8: save the file as UTF-8") from None


def _split(number: int, line: str, *, has_names: bool) -> list[str]:
    """Return the parts of a line without quotes and comment; a line of keys without names is one part."""
    stripped = line.strip()
    if not has_names and not stripped.startswith(tuple(_QUOTES)):
        key = _COMMENT.sub("", stripped).strip()
        parts = [key] if key else []
    else:
        parts = []
        for match in _PART.finditer(stripped):
            if match[0].startswith("#"):
                break
            parts.append(_unquote(number, match[0]))
    for part in parts:
        if not part.isprintable():
            raise InvalidKeyFile(f"has control characters in line {number}: remove them")
    return parts


def _unquote(number: int, part: str) -> str:
    """Return a part of a line without its quotes."""
    end = _QUOTES.get(part[:1])
    if end is None:
        return part
    if len(part) < 2 or not part.endswith(end):
        raise InvalidKeyFile(f"has a quote in line {number} that does not end")
    return part[1:-1].strip()


def _read_named(number: int, parts: list[str]) -> tuple[KeyHolder, str]:
    """Return the holder and the key of a line ``name roles key``; messages show no part, which could be the key."""
    if len(parts) != 3:
        count = f"{len(parts)} part{'s' * (len(parts) > 1)}"
        raise InvalidKeyFile(f"has a line {number} with {count}: write `name roles key`, with commas between roles")
    name, listed, key = parts
    roles = frozenset(listed.lower().split(","))
    if not roles <= set(ROLES):
        raise InvalidKeyFile(f"has a line {number} whose second part is not a list of roles: use {', '.join(ROLES)}")
    if not _NAME.fullmatch(name):
        raise InvalidKeyFile(f"has a line {number} whose first part is not a name: use {_NAME_RULE}")
    if not key:
        raise InvalidKeyFile(f"has an empty key in line {number}")
    return KeyHolder(name, roles), key


def _read_plain(number: int, parts: list[str]) -> tuple[KeyHolder, str]:
    """Return the holder and the key of a line with a key alone."""
    if len(parts) != 1 or not parts[0]:
        raise InvalidKeyFile(f"has a line {number} that is not one key: write one key per line")
    words = parts[0].split()
    if len(words) == 3 and set(words[1].lower().split(",")) <= set(ROLES):
        raise InvalidKeyFile(f"has a name and roles in line {number}: such lines belong into the file in API_KEYS_FILE")
    return KeyHolder(f"feedback-key-{number}", frozenset({LABELLER})), parts[0]
