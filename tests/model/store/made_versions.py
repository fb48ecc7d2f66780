"""Model stores with small bundles, for the tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from app.errors import InvalidBundle
from app.model.store.store import LOCK_FILE, ModelStore
from app.model.store.versions import HISTORY_FILE
from app.model.version_log import CHANGES_FILE

VERSIONS = ["20260101T000000Z-aaaaaaaa", "20260102T000000Z-bbbbbbbb", "20260103T000000Z-cccccccc"]
FIRST, SECOND, THIRD = VERSIONS

# Hidden files of a store.
STATE_FILES = (HISTORY_FILE, CHANGES_FILE, LOCK_FILE)

NOON = datetime(2026, 1, 31, 12, 0, 59, 999_999, tzinfo=UTC)


def publish(store: ModelStore, version: str) -> Path:
    """Publish a bundle of one file."""
    with store.writing() as folder:
        (folder / "file").write_text(version)
        return store.publish(folder, version)


def accept_all(folder: Path) -> None:
    """Accept every bundle."""


def refuse_all(folder: Path) -> None:
    """Refuse every bundle."""
    raise InvalidBundle(f"{folder.name} was changed")


def entries(store: ModelStore) -> list[str]:
    """Return everything in the store, hidden or not, except history, changes and lock."""
    return sorted(entry.name for entry in store.folder.iterdir() if entry.name not in STATE_FILES)
