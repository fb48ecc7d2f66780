"""Promotion, rollback and pruning change the live version in one step, or change nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from app.errors import InvalidBundle, InvalidChoice, ModelsNotWritable
from app.model.store.store import ModelStore
from app.model.store.versions import HISTORY_FILE
from tests.model.store.made_versions import (
    FIRST,
    SECOND,
    THIRD,
    VERSIONS,
    accept_all,
    entries,
    publish,
    refuse_all,
)


def test_promoted_version_is_live(three: ModelStore):
    """Any existing version, repeatedly."""
    for version in (FIRST, THIRD, THIRD, SECOND):
        three.promote(version, accept_all)
        assert three.live_version() == version
        assert (three.folder / "current" / "file").read_text() == version


def test_promotion_of_the_live_version_creates_a_new_link(three: ModelStore):
    """A service that refused the bundle then tries again."""
    before = (three.folder / "current").lstat()
    three.promote(THIRD, accept_all)
    after = (three.folder / "current").lstat()

    assert (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("name", ["20260109T000000Z-99999999", "current", "..", ".live-versions", ""])
def test_unknown_version_is_refused(three: ModelStore, name: str):
    """The message lists the existing versions."""
    with pytest.raises(InvalidChoice, match=rf"has no version {name}; it has {FIRST}, {SECOND}, {THIRD}\."):
        three.promote(name, accept_all)

    assert three.live_version() == THIRD
    with pytest.raises(InvalidChoice, match="it has none: train one"):
        ModelStore(three.folder / "nowhere").promote(name, accept_all)


def test_each_rollback_goes_back_one_version(three: ModelStore):
    """Until no version was live before."""
    assert [three.rollback(accept_all), three.rollback(accept_all)] == [SECOND, FIRST]
    assert three.live_version() == FIRST

    with pytest.raises(InvalidChoice, match=f"no version that was live before {FIRST}; name one with promote"):
        three.rollback(accept_all)
    with pytest.raises(InvalidChoice, match="no version that was live before; name one"):
        ModelStore(three.folder / "nowhere").rollback(accept_all)


def test_rollback_follows_the_history_not_the_age(three: ModelStore):
    """A version may have been live twice."""
    three.promote(FIRST, accept_all)
    three.promote(FIRST, accept_all)
    three.promote(SECOND, accept_all)

    assert [three.rollback(accept_all) for _ in range(3)] == [FIRST, THIRD, SECOND]


def test_rollback_skips_pruned_versions(three: ModelStore):
    """It goes back to an existing version."""
    three.promote(FIRST, accept_all)
    assert list(three.prune(1)) == [SECOND]

    assert three.rollback(accept_all) == THIRD
    assert three.rollback(accept_all) == FIRST


def test_link_moved_by_hand_counts_as_a_promotion(three: ModelStore):
    """The link decides which version is live."""
    (three.folder / "current").unlink()
    (three.folder / "current").symlink_to(FIRST)
    three.promote(SECOND, accept_all)

    assert three.rollback(accept_all) == FIRST


def test_missing_history_is_reported(three: ModelStore):
    """A store from before there was a history; after a promotion, rollback works."""
    (three.folder / HISTORY_FILE).unlink()
    with pytest.raises(InvalidChoice, match=f"no version that was live before {THIRD}"):
        three.rollback(accept_all)

    three.promote(FIRST, accept_all)
    assert three.rollback(accept_all) == THIRD


def test_prune_keeps_the_newest_and_the_live_one(three: ModelStore):
    """Ordered by name, which starts with the time."""
    three.promote(FIRST, accept_all)
    assert list(three.prune(3)) == []
    assert list(three.prune(1)) == [SECOND]
    assert list(three.prune(0)) == [THIRD]

    assert entries(three) == [FIRST, "current"]
    assert list(ModelStore(three.folder / "nowhere").prune(0)) == []


@pytest.mark.parametrize("move", ["promote", "rollback"])
def test_refused_bundle_is_not_promoted(three: ModelStore, move: str):
    """If the check fails, the link has not moved."""
    before = (three.folder / HISTORY_FILE).read_bytes()
    with pytest.raises(InvalidBundle, match=f"{SECOND} was changed"):
        three.promote(SECOND, refuse_all) if move == "promote" else three.rollback(refuse_all)

    assert three.live_version() == THIRD
    assert (three.folder / HISTORY_FILE).read_bytes() == before


@pytest.mark.parametrize("step", ["symlink_to", "replace", "open"])
def test_failed_promotion_or_rollback_changes_nothing(three: ModelStore, monkeypatch, step: str):
    """After a full disk or Ctrl-C at any step."""
    before = entries(three), (three.folder / HISTORY_FILE).read_bytes()

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    for move in (lambda: three.promote(FIRST, accept_all), lambda: three.rollback(accept_all)):
        with monkeypatch.context() as failing:
            failing.setattr(Path, step, fail)
            with pytest.raises(ModelsNotWritable, match="No space left on device"):
                move()

        assert (entries(three), (three.folder / HISTORY_FILE).read_bytes()) == before
        assert three.live_version() == THIRD


def test_crash_between_link_and_history_loses_nothing(three: ModelStore):
    """If the link has moved and the history has not, the next promotion starts from the link."""
    publish(three, "20260104T000000Z-dddddddd")
    three.rollback(accept_all)
    before = (three.folder / HISTORY_FILE).read_bytes()
    three.promote("20260104T000000Z-dddddddd", accept_all)
    (three.folder / HISTORY_FILE).write_bytes(before)

    assert three.rollback(accept_all) == THIRD
    assert three.rollback(accept_all) == SECOND


def test_concurrent_promotions_wait_for_each_other(three: ModelStore, caplog: pytest.LogCaptureFixture):
    """Each promotion is one entry of the history, and waiting is announced."""
    with three.writing() as folder:
        moves = [threading.Thread(target=three.promote, args=(FIRST, accept_all)) for _ in range(4)]
        moves += [threading.Thread(target=three.promote, args=(SECOND, accept_all)) for _ in range(4)]
        for move in moves:
            move.start()
        while "Waiting" not in caplog.text:
            assert three.live_version() == THIRD
        (folder / "file").write_text("late")
        three.publish(folder, "20260104T000000Z-dddddddd")
    for move in moves:
        move.join()

    history = (three.folder / HISTORY_FILE).read_text().split()
    assert history[:4] == [*VERSIONS, "20260104T000000Z-dddddddd"]
    assert set(history[4:]) == {FIRST, SECOND}
    assert history[-1] == three.live_version()


def test_killed_removal_is_finished_by_the_next_change(three: ModelStore):
    """A partly removed version does not count as one."""
    (three.folder / FIRST).rename(three.folder / ".removing-bundle")
    three.promote(SECOND, accept_all)

    assert entries(three) == [SECOND, THIRD, "current"]
