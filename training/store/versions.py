"""The names of versions, and the table of all versions: which one is live, its training data and its size."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import InvalidBundle
from app.model.bundle import MANIFEST_FILE, read_manifest
from app.model.live_model import CURRENT_LINK
from app.records.timestamps import format_timestamp

if TYPE_CHECKING:
    from training.store.store import ModelStore

# A name starts with the second of the training, in UTC.
_TIME, _TIME_LENGTH = "%Y%m%dT%H%M%SZ", len("20260131T120059Z")

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")

_LIVE, _HEADER = "*", ("", "version", "trained (UTC)", "rows", "contamination", "flagged", "size")

# Numbers are right-aligned.
_NUMBERS = {"rows", "flagged", "size"}

# Bytes per megabyte, as disks and `ls --si` count them.
_MEGABYTE = 1_000_000


def is_copy(link: Path) -> bool:
    """Return whether there is a folder instead of the link."""
    return link.is_dir() and not link.is_symlink()


def name_version(forest_sha256: str, trained_at: datetime) -> str:
    """Return the name of a version.

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
    """Return whether a path is a bundle, sound or not, and not something else, such as a user's notes."""
    # What should be the link to the live version is a copy of it where a store was copied by a tool without links.
    if not entry.is_dir() or entry.is_symlink() or entry.name.startswith(".") or entry.name == CURRENT_LINK:
        return False
    return bool(_NAME.fullmatch(entry.name)) or (entry / MANIFEST_FILE).exists()


def age_of(version: Path) -> tuple[str, int]:
    """Return the sort key of a version: the second in its name, then the time when it was written."""
    return version.name[:_TIME_LENGTH], version.stat().st_mtime_ns


def tabulate_versions(store: ModelStore) -> str:
    """Format one line per version, oldest first, and mark the live one with a star.

    A version whose manifest cannot be read is listed too, with the reason below the table.

    Parameters
    ----------
    store
        The folder of all bundles.
    """
    live = store.live_version()
    lines = [_HEADER]
    reasons = []
    for version in store.versions():
        folder = store.folder / version
        try:
            facts = _describe(read_manifest(folder))
        except InvalidBundle as error:
            facts = ("?",) * 4
            reasons.append(f"{error}")
        # The manifest of another program may have other values.
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            facts = ("?",) * 4
            reasons.append(f"{folder / MANIFEST_FILE} cannot be shown ({type(error).__name__}: {error}).")
        lines.append((_LIVE if version == live else "", version, *facts, _size(folder)))
    if len(lines) == 1:
        return f"{store.folder} has no versions; train one with `make train`."
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(_align, line, _HEADER, widths)).rstrip() for line in lines]
    return "\n".join([*table, "", _describe_live(store, live), *reasons])


def _describe(manifest: dict[str, Any]) -> tuple[str, str, str, str]:
    """Describe when and on what a version was trained."""
    training = manifest["training"]
    return (
        format_timestamp(datetime.fromisoformat(manifest["trained_at"]).timestamp()),
        f"{training['rows']:,}",
        f"{manifest['parameters']['contamination']}",
        f"{training['flagged_share']:.3%}",
    )


def _align(cell: str, column: str, width: int) -> str:
    """Pad a cell with blanks."""
    return cell.rjust(width) if column in _NUMBERS else cell.ljust(width)


def _size(folder: Path) -> str:
    """Return the size of a bundle's files."""
    return f"{sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / _MEGABYTE:.2f} MB"


def _describe_live(store: ModelStore, live: str | None) -> str:
    """Explain the star, or why there is none."""
    if is_copy(store.folder / CURRENT_LINK):
        what = f"a copy of {live}" if live else "not a bundle that can be read"
        repair = f"promote {live}" if live in store.versions() else "promote VERSION"
        return (
            f"{store.folder}/current is a folder, {what}: the store was copied without its links. A service serves "
            f"what is in it; make it a link again with {repair}."
        )
    if live is None:
        return f"No version is live: there is no link {store.folder}/current; make one with promote VERSION."
    if live not in store.versions():
        return f"No version is live: the link leads to {live}, which does not exist; move it with promote VERSION."
    return f"{_LIVE} is live."
