"""A folder in the place of the link ``current``: object stores and some tools copy what a link leads to."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from app.errors import InvalidBundle
from app.model.bundle import read_manifest

# What was in the place of the link. It is hidden, and never removed, as nobody knows who put it there.
_ASIDE = ".copied-current-"

# Such as 20260131T120059Z-abcdef01, but never a path.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

log = logging.getLogger(__name__)


def version_in(folder: Path) -> str | None:
    """Return the version that the manifest of a folder names; None if it cannot be read."""
    try:
        version = read_manifest(folder, needs_signature=False).get("version")
    except InvalidBundle:
        return None
    return version if isinstance(version, str) and _PLAIN_NAME.fullmatch(version) else None


def move_copy_away(link: Path) -> None:
    """Make room for the link where ``is_copy`` found a folder in its place.

    The folder becomes the version that it is a copy of if that is missing; else it is set aside under a hidden name.

    Parameters
    ----------
    link
        ``models/current``.
    """
    version = version_in(link)
    if version is not None and not link.with_name(version).exists():
        place = link.with_name(version)
    else:
        number = 1
        while (place := link.with_name(f"{_ASIDE}{number}")).exists():
            number += 1
    link.rename(place)
    log.warning("%s was a folder instead of a link; it was moved to %s", link, place)
