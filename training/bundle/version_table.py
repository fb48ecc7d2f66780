"""The table of all versions: which one is live, what it was trained on, and its threshold."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from app.errors import InvalidBundle
from app.model.bundle import MANIFEST_FILE, read_manifest
from app.model.live_model import CURRENT_LINK
from app.model.store.promotion_rules import threshold_of
from app.model.store.store import ModelStore
from app.model.store.versions import is_copy
from app.records.timestamps import format_timestamp

_LIVE, _HEADER = "*", ("", "version", "name", "trained (UTC)", "rows", "columns", "threshold", "flagged", "size")

# Numbers are right-aligned.
_NUMBERS = {"rows", "threshold", "flagged", "size"}

# So that a line of a model with many columns fits into a terminal.
_COLUMNS_WIDTH = 24

# Bytes per megabyte, as disks and `ls --si` count them.
_MEGABYTE = 1_000_000


def tabulate_versions(store: ModelStore) -> str:
    """Format one line per version, oldest first, and mark the live one with a star.

    A version whose manifest cannot be read is listed too, with the reason below the table.

    Parameters
    ----------
    store
        The folder of all bundles.
    """
    live = store.live_version()
    lines: list[tuple[str, ...]] = [_HEADER]
    reasons = []
    for version in store.versions():
        folder = store.folder / version
        try:
            facts = _describe(read_manifest(folder))
        except InvalidBundle as error:
            facts = ("?",) * (len(_HEADER) - 3)
            reasons.append(f"{error}")
        # The manifest of another program may have other values.
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            facts = ("?",) * (len(_HEADER) - 3)
            reasons.append(f"{folder / MANIFEST_FILE} cannot be shown ({type(error).__name__}: {error}).")
        lines.append((_LIVE if version == live else "", version, *facts, _size(folder)))
    if len(lines) == 1:
        return f"{store.folder} has no versions; train one with `make train`."
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(_align, line, _HEADER, widths)).rstrip() for line in lines]
    return "\n".join([*table, "", _describe_live(store, live), *reasons])


def _describe(manifest: dict[str, Any]) -> tuple[str, ...]:
    """Describe what a version answers, and when and on what it was trained."""
    training = manifest["training"]
    columns = ",".join(feature["name"] for feature in manifest["features"])
    return (
        manifest["name"],
        format_timestamp(datetime.fromisoformat(manifest["trained_at"]).timestamp()),
        f"{training['rows']:,}",
        columns if len(columns) <= _COLUMNS_WIDTH else f"{columns[: _COLUMNS_WIDTH - 3]}...",
        f"{threshold_of(manifest):.6g}",
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
