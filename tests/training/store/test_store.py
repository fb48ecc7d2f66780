"""Bundles are published completely or not at all, by one writer at a time."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import InvalidBundle
from app.model.version_log import CHANGES_FILE, PROMOTION, ROLLBACK, VersionChange, name_operator, read_changes
from training.errors import BadArgument, ModelsNotWritable
from training.store.history import HISTORY_FILE
from training.store.store import LOCK_FILE, ModelStore

VERSIONS = ["20260101T000000Z-aaaaaaaa", "20260102T000000Z-bbbbbbbb", "20260103T000000Z-cccccccc"]
FIRST, SECOND, THIRD = VERSIONS

# Hidden files of a store.
STATE_FILES = (HISTORY_FILE, CHANGES_FILE, LOCK_FILE)

NOON = datetime(2026, 1, 31, 12, 0, 59, 999_999, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Return a store whose folder does not exist yet."""
    return ModelStore(tmp_path / "models")


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


@pytest.fixture
def three(store: ModelStore) -> ModelStore:
    """Return a store with three versions, published in this order; the last one is live."""
    for version in VERSIONS:
        publish(store, version)
    return store


def entries(store: ModelStore) -> list[str]:
    """Return everything in the store, hidden or not, except history, changes and lock."""
    return sorted(entry.name for entry in store.folder.iterdir() if entry.name not in STATE_FILES)


def test_published_bundle_is_live(store: ModelStore, tmp_path: Path):
    """Each new bundle becomes live; the link is relative, so the store can be moved."""
    for version in ("first", "second"):
        assert publish(store, version) == store.folder / version
        assert (store.folder / "current" / "file").read_text() == version
    assert entries(store) == ["current", "first", "second"]

    moved = store.folder.rename(tmp_path / "elsewhere")
    assert (moved / "current" / "file").read_text() == "second"


def test_added_bundle_is_not_live(store: ModelStore):
    """The live version, if any, stays live; once promoted, the added one is next in the history."""
    with store.writing() as folder:
        (folder / "file").write_text("first")
        assert store.add(folder, FIRST) == store.folder / FIRST
    assert (store.live_version(), entries(store)) == (None, [FIRST])

    publish(store, SECOND)
    with store.writing() as folder:
        store.add(folder, THIRD)
    assert (store.live_version(), store.versions()) == (SECOND, VERSIONS)

    store.promote(THIRD, accept_all)
    assert store.rollback(accept_all) == SECOND


def test_version_is_the_next_free_second(store: ModelStore):
    """Two trainings within a second get two versions; different forests do not conflict."""
    digest = "abcdef0123456789"
    assert store.find_free_version(digest, NOON) == "20260131T120059Z-abcdef01"

    publish(store, "20260131T120059Z-abcdef01")
    assert store.find_free_version(digest, NOON) == "20260131T120100Z-abcdef01"

    publish(store, "20260131T120100Z-abcdef01")
    assert store.find_free_version(digest, NOON) == "20260131T120101Z-abcdef01"
    assert store.find_free_version("1234567890", NOON) == "20260131T120059Z-12345678"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_nothing_is_left_of_an_interrupted_bundle(store: ModelStore, error: type[BaseException]):
    """Neither in a new store nor in an existing one."""

    def fail() -> None:
        with store.writing() as folder:
            (folder / "file").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert not store.folder.exists()

    publish(store, "first")
    with pytest.raises(error):
        fail()
    assert entries(store) == ["current", "first"]
    assert (store.folder / "current" / "file").read_text() == "first"


@pytest.mark.parametrize("step", ["rename", "symlink_to", "replace"])
def test_store_is_unchanged_when_publishing_fails(store: ModelStore, monkeypatch, step: str):
    """Whichever step fails, the live version stays live and the new one is removed."""
    publish(store, "first")

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as failing:
        failing.setattr(Path, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            publish(store, "second")

    assert entries(store) == ["current", "first"]
    assert (store.folder / "current" / "file").read_text() == "first"


def test_remains_of_a_killed_process_are_removed(store: ModelStore):
    """A killed process cannot clean up; the next writer does."""
    publish(store, "first")
    (store.folder / ".writing-bundle").mkdir()
    (store.folder / ".writing-bundle" / "file").write_text("half")
    (store.folder / ".current.4242.writing").symlink_to("nowhere")

    publish(store, "second")

    assert entries(store) == ["current", "first", "second"]


def test_second_writer_waits_for_the_first(store: ModelStore):
    """Of eight concurrent writers, each finds an empty folder, and each version is complete."""
    inside = threading.Semaphore(1)
    failures: list[str] = []

    def write(version: str) -> None:
        with store.writing() as folder:
            if not inside.acquire(blocking=False) or list(folder.iterdir()):
                failures.append(version)
            (folder / "file").write_text(version)
            inside.release()
            store.publish(folder, version)

    writers = [threading.Thread(target=write, args=(f"v{number}",)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert not failures
    assert entries(store) == ["current", *(f"v{number}" for number in range(8))]
    assert all((store.folder / f"v{number}" / "file").read_text() == f"v{number}" for number in range(8))


def test_folder_that_cannot_be_written_is_reported(tmp_path: Path):
    """A file in place of the folder represents all reasons."""
    (tmp_path / "models").write_text("a file")

    with pytest.raises(ModelsNotWritable, match=r"models cannot be written \(File exists\); make room"):
        publish(ModelStore(tmp_path / "models"), "first")

    assert (tmp_path / "models").read_text() == "a file"


def test_folder_in_place_of_the_link_is_not_overwritten(store: ModelStore):
    """It may be a bundle that was copied by hand."""
    (store.folder / "current").mkdir(parents=True)

    with pytest.raises(ModelsNotWritable, match="cannot be written"):
        publish(store, "first")

    assert entries(store) == ["current"]


def test_only_bundles_are_versions(three: ModelStore):
    """Notes, hidden folders, links and files are not; a bundle with another name is."""
    (three.folder / "notes").mkdir()
    (three.folder / ".writing-bundle").mkdir()
    (three.folder / "copied-from-elsewhere").mkdir()
    (three.folder / "copied-from-elsewhere" / "manifest.json").touch()
    (three.folder / "20260104T000000Z-dddddddd").touch()

    assert three.versions() == [*VERSIONS, "copied-from-elsewhere"]
    assert ModelStore(three.folder / "nowhere").versions() == []


def test_versions_of_one_second_are_ordered_by_write_time(store: ModelStore):
    """Their digests do not tell their age."""
    names = [f"20260101T000000Z-{letter * 8}" for letter in "cab"]
    for number, name in enumerate(names):
        publish(store, name)
        os.utime(store.folder / name, ns=(number, number))

    assert store.versions() == names


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
    with pytest.raises(BadArgument, match=rf"has no version {name}; it has {FIRST}, {SECOND}, {THIRD}\."):
        three.promote(name, accept_all)

    assert three.live_version() == THIRD
    with pytest.raises(BadArgument, match="it has none: train one"):
        ModelStore(three.folder / "nowhere").promote(name, accept_all)


def test_each_rollback_goes_back_one_version(three: ModelStore):
    """Until no version was live before."""
    assert [three.rollback(accept_all), three.rollback(accept_all)] == [SECOND, FIRST]
    assert three.live_version() == FIRST

    with pytest.raises(BadArgument, match=f"no version that was live before {FIRST}; name one with promote"):
        three.rollback(accept_all)
    with pytest.raises(BadArgument, match="no version that was live before; name one"):
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
    with pytest.raises(BadArgument, match=f"no version that was live before {THIRD}"):
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


def test_concurrent_promotions_wait_for_each_other(three: ModelStore, capsys):
    """Each promotion is one entry of the history, and waiting is announced."""
    with three.writing() as folder:
        moves = [threading.Thread(target=three.promote, args=(FIRST, accept_all)) for _ in range(4)]
        moves += [threading.Thread(target=three.promote, args=(SECOND, accept_all)) for _ in range(4)]
        for move in moves:
            move.start()
        while capsys.readouterr().err.count("Waiting") == 0:
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
    monkeypatch.setattr("training.store.history._MAX_CHANGES", 2)
    for version in (FIRST, SECOND):
        three.promote(version, accept_all)

    assert changes(three) == [(PROMOTION, THIRD, FIRST), (PROMOTION, FIRST, SECOND)]
