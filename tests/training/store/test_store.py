"""Bundles appear whole or not at all, one writer at a time."""

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

# Hidden files that a store keeps beside its versions.
STATE_FILES = (HISTORY_FILE, CHANGES_FILE, LOCK_FILE)

NOON = datetime(2026, 1, 31, 12, 0, 59, 999_999, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store whose folder does not exist yet."""
    return ModelStore(tmp_path / "models")


def publish(store: ModelStore, version: str) -> Path:
    """Write a bundle of one file."""
    with store.writing() as folder:
        (folder / "file").write_text(version)
        return store.publish(folder, version)


def no_check(folder: Path) -> None:
    """Take every bundle for sound."""


def refuse_all(folder: Path) -> None:
    """Take no bundle for sound."""
    raise InvalidBundle(f"{folder.name} was changed")


@pytest.fixture
def three(store: ModelStore) -> ModelStore:
    """A store with three versions, published in this order; the last one is live."""
    for version in VERSIONS:
        publish(store, version)
    return store


def entries(store: ModelStore) -> list[str]:
    """Return everything in the store, hidden or not, except history, changes and lock."""
    return sorted(entry.name for entry in store.folder.iterdir() if entry.name not in STATE_FILES)


def test_published_bundle_is_live(store: ModelStore, tmp_path: Path):
    """Each new one takes over; the link still leads there when the store is moved."""
    for version in ("first", "second"):
        assert publish(store, version) == store.folder / version
        assert (store.folder / "current" / "file").read_text() == version
    assert entries(store) == ["current", "first", "second"]

    moved = store.folder.rename(tmp_path / "elsewhere")
    assert (moved / "current" / "file").read_text() == "second"


def test_kept_bundle_waits_to_be_promoted(store: ModelStore):
    """The live one stays live, or none is; what is live next is the history's next version."""
    with store.writing() as folder:
        (folder / "file").write_text("first")
        assert store.add(folder, FIRST) == store.folder / FIRST
    assert (store.live_version(), entries(store)) == (None, [FIRST])

    publish(store, SECOND)
    with store.writing() as folder:
        store.add(folder, THIRD)
    assert (store.live_version(), store.versions()) == (SECOND, VERSIONS)

    store.promote(THIRD, no_check)
    assert store.rollback(no_check) == SECOND


def test_version_is_the_next_free_second(store: ModelStore):
    """Two trainings within a second are two versions; another forest is no conflict."""
    digest = "abcdef0123456789"
    assert store.find_free_version(digest, NOON) == "20260131T120059Z-abcdef01"

    publish(store, "20260131T120059Z-abcdef01")
    assert store.find_free_version(digest, NOON) == "20260131T120100Z-abcdef01"

    publish(store, "20260131T120100Z-abcdef01")
    assert store.find_free_version(digest, NOON) == "20260131T120101Z-abcdef01"
    assert store.find_free_version("1234567890", NOON) == "20260131T120059Z-12345678"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_nothing_is_left_of_an_interrupted_bundle(store: ModelStore, error: type[BaseException]):
    """Neither in a store that did not exist nor in one that did."""

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
def test_store_is_as_it_was_when_publishing_fails(store: ModelStore, monkeypatch, step: str):
    """Whichever step fails, the version that was live stays live and the new one is gone."""
    publish(store, "first")

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as failing:
        failing.setattr(Path, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            publish(store, "second")

    assert entries(store) == ["current", "first"]
    assert (store.folder / "current" / "file").read_text() == "first"


def test_what_a_killed_process_left_is_cleared_away(store: ModelStore):
    """A process that is killed cleans nothing up; the next writer does."""
    publish(store, "first")
    (store.folder / ".writing-bundle").mkdir()
    (store.folder / ".writing-bundle" / "file").write_text("half")
    (store.folder / ".current.4242.writing").symlink_to("nowhere")

    publish(store, "second")

    assert entries(store) == ["current", "first", "second"]


def test_second_writer_waits_for_the_first(store: ModelStore):
    """Eight writers at once: each finds an empty folder, and each version is whole."""
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


def test_folder_that_cannot_be_written_is_named(tmp_path: Path):
    """A file in the folder's place stands for all reasons why it cannot be made."""
    (tmp_path / "models").write_text("a file")

    with pytest.raises(ModelsNotWritable, match=r"models cannot be written \(File exists\); make room"):
        publish(ModelStore(tmp_path / "models"), "first")

    assert (tmp_path / "models").read_text() == "a file"


def test_link_that_somebody_made_a_folder_is_not_overwritten(store: ModelStore):
    """It may hold a bundle that was copied by hand."""
    (store.folder / "current").mkdir(parents=True)

    with pytest.raises(ModelsNotWritable, match="cannot be written"):
        publish(store, "first")

    assert entries(store) == ["current"]


def test_versions_are_bundles_and_nothing_else(three: ModelStore):
    """Notes, hidden folders, links and files are no versions; a bundle under a name of its own is one."""
    (three.folder / "notes").mkdir()
    (three.folder / ".writing-bundle").mkdir()
    (three.folder / "copied-from-elsewhere").mkdir()
    (three.folder / "copied-from-elsewhere" / "manifest.json").touch()
    (three.folder / "20260104T000000Z-dddddddd").touch()

    assert three.versions() == [*VERSIONS, "copied-from-elsewhere"]
    assert ModelStore(three.folder / "nowhere").versions() == []


def test_versions_of_one_second_are_ordered_by_when_they_were_written(store: ModelStore):
    """Their digests say nothing of their age."""
    names = [f"20260101T000000Z-{letter * 8}" for letter in "cab"]
    for number, name in enumerate(names):
        publish(store, name)
        os.utime(store.folder / name, ns=(number, number))

    assert store.versions() == names


def test_promoted_version_is_live(three: ModelStore):
    """Any that is there, again and again."""
    for version in (FIRST, THIRD, THIRD, SECOND):
        three.promote(version, no_check)
        assert three.live_version() == version
        assert (three.folder / "current" / "file").read_text() == version


def test_promotion_makes_a_new_link_even_to_the_same_place(three: ModelStore):
    """So that a service which refused the bundle looks at it again."""
    before = (three.folder / "current").lstat()
    three.promote(THIRD, no_check)
    after = (three.folder / "current").lstat()

    assert (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("name", ["20260109T000000Z-99999999", "current", "..", ".live-versions", ""])
def test_version_that_does_not_exist_is_refused(three: ModelStore, name: str):
    """With the names of those that do."""
    with pytest.raises(BadArgument, match=rf"has no version {name}; it has {FIRST}, {SECOND}, {THIRD}\."):
        three.promote(name, no_check)

    assert three.live_version() == THIRD
    with pytest.raises(BadArgument, match="it has none: train one"):
        ModelStore(three.folder / "nowhere").promote(name, no_check)


def test_rollback_goes_back_a_version_each_time(three: ModelStore):
    """Until nothing was live before."""
    assert [three.rollback(no_check), three.rollback(no_check)] == [SECOND, FIRST]
    assert three.live_version() == FIRST

    with pytest.raises(BadArgument, match=f"no version that was live before {FIRST}; name one with promote"):
        three.rollback(no_check)
    with pytest.raises(BadArgument, match="no version that was live before; name one"):
        ModelStore(three.folder / "nowhere").rollback(no_check)


def test_rollback_goes_back_to_what_was_live_not_to_what_is_older(three: ModelStore):
    """A version can have been live twice."""
    three.promote(FIRST, no_check)
    three.promote(FIRST, no_check)
    three.promote(SECOND, no_check)

    assert [three.rollback(no_check) for _ in range(3)] == [FIRST, THIRD, SECOND]


def test_rollback_passes_over_what_was_pruned(three: ModelStore):
    """It leads to a version that is there."""
    three.promote(FIRST, no_check)
    assert list(three.prune(1)) == [SECOND]

    assert three.rollback(no_check) == THIRD
    assert three.rollback(no_check) == FIRST


def test_link_that_was_moved_by_hand_counts_as_a_move(three: ModelStore):
    """What the link says is what is live."""
    (three.folder / "current").unlink()
    (three.folder / "current").symlink_to(FIRST)
    three.promote(SECOND, no_check)

    assert three.rollback(no_check) == FIRST


def test_unknown_history_is_said(three: ModelStore):
    """A store from before there was a history can be promoted in, and gone back in from then on."""
    (three.folder / HISTORY_FILE).unlink()
    with pytest.raises(BadArgument, match=f"no version that was live before {THIRD}"):
        three.rollback(no_check)

    three.promote(FIRST, no_check)
    assert three.rollback(no_check) == THIRD


def test_prune_keeps_the_newest_and_the_live_one(three: ModelStore):
    """In the order of their names, which begin with the time."""
    three.promote(FIRST, no_check)
    assert list(three.prune(3)) == []
    assert list(three.prune(1)) == [SECOND]
    assert list(three.prune(0)) == [THIRD]

    assert entries(three) == [FIRST, "current"]
    assert list(ModelStore(three.folder / "nowhere").prune(0)) == []


@pytest.mark.parametrize("move", ["promote", "rollback"])
def test_unsound_bundle_does_not_go_live(three: ModelStore, move: str):
    """Whatever the check says, nothing has moved."""
    before = (three.folder / HISTORY_FILE).read_bytes()
    with pytest.raises(InvalidBundle, match=f"{SECOND} was changed"):
        three.promote(SECOND, refuse_all) if move == "promote" else three.rollback(refuse_all)

    assert three.live_version() == THIRD
    assert (three.folder / HISTORY_FILE).read_bytes() == before


@pytest.mark.parametrize("step", ["symlink_to", "replace", "open"])
def test_failed_move_leaves_everything_as_it_was(three: ModelStore, monkeypatch, step: str):
    """A full disk or Ctrl-C at any step, forwards or backwards."""
    before = entries(three), (three.folder / HISTORY_FILE).read_bytes()

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    for move in (lambda: three.promote(FIRST, no_check), lambda: three.rollback(no_check)):
        with monkeypatch.context() as failing:
            failing.setattr(Path, step, fail)
            with pytest.raises(ModelsNotWritable, match="No space left on device"):
                move()

        assert (entries(three), (three.folder / HISTORY_FILE).read_bytes()) == before
        assert three.live_version() == THIRD


def test_crash_between_link_and_history_loses_nothing(three: ModelStore):
    """The link has moved, the history has not: the next move starts from the link."""
    publish(three, "20260104T000000Z-dddddddd")
    three.rollback(no_check)
    before = (three.folder / HISTORY_FILE).read_bytes()
    three.promote("20260104T000000Z-dddddddd", no_check)
    (three.folder / HISTORY_FILE).write_bytes(before)

    assert three.rollback(no_check) == THIRD
    assert three.rollback(no_check) == SECOND


def test_moves_at_once_wait_for_each_other(three: ModelStore, capsys):
    """Every promotion is one step of the history, and whoever waits is told so."""
    with three.writing() as folder:
        moves = [threading.Thread(target=three.promote, args=(FIRST, no_check)) for _ in range(4)]
        moves += [threading.Thread(target=three.promote, args=(SECOND, no_check)) for _ in range(4)]
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


def test_removal_that_was_killed_is_finished_by_the_next_change(three: ModelStore):
    """A version that is half removed is none any more."""
    (three.folder / FIRST).rename(three.folder / ".removing-bundle")
    three.promote(SECOND, no_check)

    assert entries(three) == [SECOND, THIRD, "current"]


def changes(store: ModelStore) -> list[tuple[str, str, str]]:
    """What is noted: what, before, after."""
    return [(change.what, change.before, change.after) for change in read_changes(store.folder)]


def test_each_change_is_noted_with_who_and_when(three: ModelStore):
    """A training, a promotion and a rollback; the note names the very link that was made."""
    three.promote(FIRST, no_check)
    assert read_changes(three.folder)[-1] == VersionChange(
        (three.folder / "current").lstat().st_mtime_ns, name_operator(), PROMOTION, THIRD, FIRST
    )

    three.rollback(no_check)
    assert changes(three) == [
        (PROMOTION, "", FIRST),
        (PROMOTION, FIRST, SECOND),
        (PROMOTION, SECOND, THIRD),
        (PROMOTION, THIRD, FIRST),
        (ROLLBACK, FIRST, THIRD),
    ]


def test_a_change_that_fails_is_not_noted(three: ModelStore, monkeypatch):
    """Neither one that is refused nor one whose link cannot be moved."""
    before = changes(three)

    def interrupt(*arguments: object) -> None:
        raise OSError("no")

    with pytest.raises(InvalidBundle):
        three.promote(FIRST, refuse_all)
    with monkeypatch.context() as failing:
        failing.setattr(Path, "replace", interrupt)
        with pytest.raises(ModelsNotWritable):
            three.promote(FIRST, no_check)

    assert changes(three) == before
    assert not [entry for entry in entries(three) if entry.startswith(".")]


def test_a_store_without_notes_begins_them(three: ModelStore):
    """It was made by a version that had none, or half a line is left of a machine that crashed."""
    (three.folder / CHANGES_FILE).unlink()
    three.promote(FIRST, no_check)
    assert changes(three) == [(PROMOTION, THIRD, FIRST)]

    (three.folder / CHANGES_FILE).write_text('{"link_made_ns": 17, "who": "a')
    three.promote(SECOND, no_check)
    assert changes(three) == [(PROMOTION, FIRST, SECOND)]


def test_notes_stay_small(three: ModelStore, monkeypatch):
    """The oldest go first."""
    monkeypatch.setattr("training.store.history._MAX_CHANGES", 2)
    for version in (FIRST, SECOND):
        three.promote(version, no_check)

    assert changes(three) == [(PROMOTION, THIRD, FIRST), (PROMOTION, FIRST, SECOND)]
