"""Bundles appear whole or not at all, one writer at a time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from training.errors import ModelsNotWritable
from training.model_store import ModelStore

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


def entries(store: ModelStore) -> list[str]:
    """Everything in the store, hidden or not."""
    return sorted(entry.name for entry in store.folder.iterdir())


def test_published_bundle_is_live(store: ModelStore, tmp_path: Path):
    """Each new one takes over; the link still leads there when the store is moved."""
    for version in ("first", "second"):
        assert publish(store, version) == store.folder / version
        assert (store.folder / "current" / "file").read_text() == version
    assert entries(store) == ["current", "first", "second"]

    moved = store.folder.rename(tmp_path / "elsewhere")
    assert (moved / "current" / "file").read_text() == "second"


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
    (store.folder / ".writing-link").symlink_to("nowhere")

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
