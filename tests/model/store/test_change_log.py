"""Each change of the live version is recorded with who and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import InvalidBundle, ModelsNotWritable
from app.model.store.store import ModelStore
from app.model.version_log import CHANGES_FILE, PROMOTION, ROLLBACK, VersionChange, name_operator, read_changes
from tests.model.store.made_versions import (
    FIRST,
    SECOND,
    THIRD,
    accept_all,
    entries,
    refuse_all,
)


def changes(store: ModelStore) -> list[tuple[str, str, str]]:
    """Return the recorded changes: kind, version before and version after."""
    return [(change.what, change.before, change.after) for change in read_changes(store.folder)]


def test_each_change_is_recorded_with_who_and_when(three: ModelStore):
    """Training, promotion and rollback; the entry identifies the link that was created."""
    three.promote(FIRST, accept_all)
    assert read_changes(three.folder)[-1] == VersionChange(
        (three.folder / "current").lstat().st_mtime_ns, name_operator(), PROMOTION, THIRD, FIRST
    )

    three.rollback(accept_all)
    assert changes(three) == [
        (PROMOTION, "", FIRST),
        (PROMOTION, FIRST, SECOND),
        (PROMOTION, SECOND, THIRD),
        (PROMOTION, THIRD, FIRST),
        (ROLLBACK, FIRST, THIRD),
    ]


def test_failed_change_is_not_recorded(three: ModelStore, monkeypatch):
    """Neither a refused one nor one whose link cannot be moved."""
    before = changes(three)

    def interrupt(*arguments: object) -> None:
        raise OSError("no")

    with pytest.raises(InvalidBundle):
        three.promote(FIRST, refuse_all)
    with monkeypatch.context() as failing:
        failing.setattr(Path, "replace", interrupt)
        with pytest.raises(ModelsNotWritable):
            three.promote(FIRST, accept_all)

    assert changes(three) == before
    assert not [entry for entry in entries(three) if entry.startswith(".")]


def test_missing_or_damaged_log_of_changes_is_started_again(three: ModelStore):
    """From an older release, or with half a line after a crash."""
    (three.folder / CHANGES_FILE).unlink()
    three.promote(FIRST, accept_all)
    assert changes(three) == [(PROMOTION, THIRD, FIRST)]

    (three.folder / CHANGES_FILE).write_text('{"link_made_ns": 17, "who": "a')
    three.promote(SECOND, accept_all)
    assert changes(three) == [(PROMOTION, FIRST, SECOND)]


def test_log_of_changes_stays_small(three: ModelStore, monkeypatch):
    """The oldest entries are dropped."""
    monkeypatch.setattr("app.model.store.versions._MAX_CHANGES", 2)
    for version in (FIRST, SECOND):
        three.promote(version, accept_all)

    assert changes(three) == [(PROMOTION, THIRD, FIRST), (PROMOTION, FIRST, SECOND)]
