"""Bundles are published completely or not at all, by one writer at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from app.errors import ModelsNotWritable
from app.model.store.store import ModelStore
from tests.model.store.made_versions import (
    FIRST,
    NOON,
    SECOND,
    THIRD,
    VERSIONS,
    accept_all,
    entries,
    publish,
)


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


@pytest.mark.parametrize("mode", [0o755, 0o775])
def test_versions_may_be_removed_by_whoever_may_write_to_the_store(store: ModelStore, mode: int):
    """With Compose, training and the service write to one store as different users of one group."""
    store.folder.mkdir()
    store.folder.chmod(mode)

    publish(store, FIRST)

    assert (store.folder / FIRST).stat().st_mode & 0o777 == mode


def test_folder_that_cannot_be_written_is_reported(tmp_path: Path):
    """A file in place of the folder represents all reasons."""
    (tmp_path / "models").write_text("a file")

    with pytest.raises(ModelsNotWritable, match=r"models cannot be written \(File exists\); make room"):
        publish(ModelStore(tmp_path / "models"), "first")

    assert (tmp_path / "models").read_text() == "a file"


def test_folder_in_place_of_the_link_is_not_overwritten(store: ModelStore):
    """It may be a bundle that was copied by hand."""
    (store.folder / "current").mkdir(parents=True)
    (store.folder / "current" / "file").write_text("by hand")

    publish(store, "first")

    assert entries(store) == [".copied-current-1", "current", "first"]
    assert (store.folder / ".copied-current-1" / "file").read_text() == "by hand"


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
