"""How versions are named, and how their folders are told from others."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from app.model.bundle import MANIFEST_FILE

# The beginning of a name: the second of the training, in UTC.
_TIME, _TIME_LENGTH = "%Y%m%dT%H%M%SZ", len("20260131T120059Z")

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


def name_version(forest_sha256: str, trained_at: datetime) -> str:
    """Name a version.

    Parameters
    ----------
    forest_sha256
        Digest of ``forest.npz``, in hexadecimal.
    trained_at
        When the forest was trained, in UTC.

    Examples
    --------
    >>> name_version("abcdef0123456789", datetime(2026, 1, 31, 12, 0, 59))
    '20260131T120059Z-abcdef01'
    """
    return f"{trained_at:{_TIME}}-{forest_sha256[:8]}"


def is_version(entry: Path) -> bool:
    """Tell a bundle, sound or not, from whatever else lies beside it, such as a user's notes."""
    if not entry.is_dir() or entry.is_symlink() or entry.name.startswith("."):
        return False
    return bool(_NAME.fullmatch(entry.name)) or (entry / MANIFEST_FILE).exists()


def age_of(version: Path) -> tuple[str, int]:
    """Order versions by the second in their names, and those of one second by when they were written."""
    return version.name[:_TIME_LENGTH], version.stat().st_mtime_ns
