"""A store that was copied without its links, as object stores do, is served, kept and repaired."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.model.bundle import write_manifest
from app.model.live_model import LiveModel
from app.model.store.store import ModelStore
from tests.model.store.made_versions import FIRST, SECOND, THIRD, VERSIONS, accept_all
from training.bundle.version_table import tabulate_versions

BUNDLE = Path(__file__).parents[2] / "compatibility" / "first_release" / "models" / "20261129T085415Z-012936da"


@pytest.fixture
def copied(store: ModelStore, tmp_path: Path) -> ModelStore:
    """A copy of a store with three versions, in which ``current`` is a folder; the second version was live."""
    for version in VERSIONS:
        with store.writing() as folder:
            (folder / "file").write_text(version)
            write_manifest(folder, {"version": version})
            store.publish(folder, version)
    store.promote(SECOND, accept_all)
    shutil.copytree(store.folder, tmp_path / "copied")  # follows links
    return ModelStore(tmp_path / "copied")


def test_copy_is_no_version(copied: ModelStore):
    """It is not listed; the version that it is a copy of is the live one, and the table says how to repair it."""
    assert copied.versions() == VERSIONS
    assert copied.live_version() == SECOND
    assert f"current is a folder, a copy of {SECOND}" in (table := tabulate_versions(copied))
    assert f"make it a link again with promote {SECOND}" in table


def test_prune_keeps_the_newest_and_the_live_version(copied: ModelStore):
    """The copy is neither counted nor removed."""
    assert list(copied.prune(keep=1)) == [FIRST]
    assert copied.versions() == [SECOND, THIRD]
    assert (copied.folder / "current" / "file").read_text() == SECOND


@pytest.mark.parametrize("version", [SECOND, THIRD])
def test_promote_makes_it_a_link_again(copied: ModelStore, version: str, caplog: pytest.LogCaptureFixture):
    """The folder is set aside, and promotion and rollback work as before."""
    copied.promote(version, accept_all)

    assert (copied.folder / "current").readlink() == Path(version)
    assert (copied.folder / ".copied-current-1" / "file").read_text() == SECOND
    assert "was a folder instead of a link" in caplog.text
    assert copied.rollback(accept_all) == (THIRD if version == SECOND else SECOND)


def test_only_copy_of_a_version_becomes_it_again(copied: ModelStore):
    """Its folder was not copied."""
    shutil.rmtree(copied.folder / SECOND)
    copied.promote(THIRD, accept_all)
    assert copied.versions() == VERSIONS
    assert (copied.folder / SECOND / "file").read_text() == SECOND


def test_unreadable_folder_is_set_aside(copied: ModelStore):
    """Whatever it is, it is kept."""
    (copied.folder / "current" / "manifest.json").write_text("{}")
    assert copied.live_version() is None
    assert "not a bundle that can be read" in tabulate_versions(copied)
    copied.promote(FIRST, accept_all)
    assert (copied.folder / ".copied-current-1" / "file").exists()


def test_copy_is_served(tmp_path: Path):
    """The service needs no link."""
    shutil.copytree(BUNDLE, tmp_path / "current")
    live = LiveModel(tmp_path)
    live.refresh()
    assert live.get().version == BUNDLE.name
