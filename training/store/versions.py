"""The table of all versions: which one is live, what each was trained on, how large it is."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from app.errors import InvalidBundle
from app.model.bundle import read_manifest
from training.store.store import ModelStore

_LIVE, _HEADER = "*", ("", "version", "trained (UTC)", "rows", "contamination", "flagged", "size")

# Numbers end where the numbers above and below them end.
_NUMBERS = {"rows", "flagged", "size"}

# Bytes per megabyte, as disks and `ls --si` count them.
_MEGABYTE = 1_000_000


def tabulate_versions(store: ModelStore) -> str:
    """Lay out one line per version, oldest first, and mark the live one with a star.

    A version whose manifest cannot be read has its line as well, with the reason.

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
        lines.append((_LIVE if version == live else "", version, *facts, _size(folder)))
    if len(lines) == 1:
        return f"{store.folder} has no versions; train one with `make train`."
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(_align, line, _HEADER, widths)).rstrip() for line in lines]
    return "\n".join([*table, "", _say_what_is_live(store, live), *reasons])


def _describe(manifest: dict[str, Any]) -> tuple[str, str, str, str]:
    """Say when and on what a version was trained."""
    training = manifest["training"]
    return (
        f"{datetime.fromisoformat(manifest['trained_at']):%Y-%m-%d %H:%M:%S}",
        f"{training['rows']:,}",
        f"{manifest['parameters']['contamination']}",
        f"{training['flagged_share']:.3%}",
    )


def _align(cell: str, column: str, width: int) -> str:
    """Fill a cell up with blanks."""
    return cell.rjust(width) if column in _NUMBERS else cell.ljust(width)


def _size(folder: Path) -> str:
    """Add up a bundle's files."""
    return f"{sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / _MEGABYTE:.2f} MB"


def _say_what_is_live(store: ModelStore, live: str | None) -> str:
    """Explain the star, or why there is none."""
    if live is None:
        return f"No version is live: there is no link {store.folder}/current; make one with promote VERSION."
    if live not in store.versions():
        return f"No version is live: the link leads to {live}, which is not there; move it with promote VERSION."
    return f"{_LIVE} is live."
