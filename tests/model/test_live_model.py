"""A model is verified before it goes live, and a broken successor changes nothing."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import ModelUnavailable
from app.model.bundle import Bundle
from app.model.live_model import CURRENT_LINK, LiveModel
from app.model.worker_sync import WorkerSync


class _Watched(LiveModel):
    """A live model that records its callbacks."""

    def __init__(self, models: Path, notes: WorkerSync | None = None) -> None:
        self.swaps: list[tuple[str | None, str]] = []
        self.refusals = 0
        super().__init__(models, self._note_swap, self._note_refusal, notes)

    def _note_swap(self, before: Bundle | None, now: Bundle) -> None:
        self.swaps.append((before.version if before else None, now.version))

    def _note_refusal(self) -> None:
        self.refusals += 1


@pytest.fixture
def models(credits_models: Path, tmp_path: Path) -> Path:
    """A folder with one version, which tests may change."""
    copy = tmp_path / "models"
    shutil.copytree(credits_models, copy, symlinks=True)
    return copy


def _point_to(models: Path, version: str) -> None:
    """Replace the link atomically, as `promote` does."""
    (models / "next").symlink_to(version)
    os.replace(models / "next", models / CURRENT_LINK)


def test_error_without_a_model_says_what_to_do(tmp_path: Path):
    """Nothing is raised at start, only when the model is needed."""
    model = _Watched(tmp_path / "models")
    model.refresh()

    with pytest.raises(ModelUnavailable, match="Train one with `make train`"):
        model.get()


def test_model_is_loaded_once(models: Path):
    """Refreshing with the same link does nothing and calls nothing."""
    model = _Watched(models)
    model.refresh()
    first = model.get()
    model.refresh()

    assert model.get() is first
    assert model.swaps == [(None, first.version)]
    assert model.problem == ""


def test_moved_link_swaps_the_model(models: Path):
    """The next request is answered by the new bundle."""
    model = _Watched(models)
    model.refresh()
    old = model.get().version
    shutil.copytree(models / old, models / "copy")
    _point_to(models, "copy")
    model.refresh()

    assert model.swaps[1:] == [(old, old)]  # a copy has the same name inside


@pytest.fixture
def break_bundle(models: Path) -> Callable[[str], Path]:
    """Copy the version under another name with one flipped bit; return the folder."""

    def copy(name: str) -> Path:
        broken = models / name
        shutil.copytree(models / CURRENT_LINK, broken)
        _flip_bit(broken / "forest.npz")
        return broken

    return copy


def _flip_bit(file: Path) -> None:
    """Flip one bit in the middle of a file; a second call flips it back."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_broken_successor_is_refused_once_and_the_old_model_stays(models, break_bundle, caplog):
    """It is counted and logged once, and every request still gets an answer."""
    model = _Watched(models)
    model.refresh()
    old = model.get()
    break_bundle("broken")
    _point_to(models, "broken")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            model.refresh()

    assert model.get() is old
    assert model.refusals == 1
    assert len(caplog.records) == 1
    assert "forest.npz was changed" in model.problem


def test_link_that_moves_while_it_is_read_is_refused_once(models, break_bundle, monkeypatch):
    """The identity of the old link is not combined with the target of the new one, which would count it twice."""
    model = _Watched(models)
    model.refresh()
    break_bundle("broken")
    resolve = Path.resolve

    def move_and_resolve(path: Path, strict: bool = False) -> Path:
        monkeypatch.setattr(Path, "resolve", resolve)
        _point_to(models, "broken")
        return path.resolve(strict)

    monkeypatch.setattr(Path, "resolve", move_and_resolve)
    for _ in range(3):
        model.refresh()

    assert model.refusals == 1


def test_workers_log_a_refusal_once_and_all_count_it(models, break_bundle, tmp_path, caplog):
    """Two workers share a folder; a second promotion of the broken bundle is a second refusal."""
    workers = [_Watched(models, WorkerSync(tmp_path)) for _ in range(2)]
    for worker in workers:
        worker.refresh()
    break_bundle("broken")
    for times_refused in (1, 2):
        _point_to(models, "broken")
        with caplog.at_level(logging.ERROR):
            for worker in workers:
                worker.refresh()

        assert [worker.refusals for worker in workers] == [times_refused] * 2
        assert len(caplog.records) == times_refused


@pytest.mark.parametrize("trouble", ["broken", "no link"])
def test_worker_that_starts_late_serves_what_the_others_serve(models, break_bundle, tmp_path, trouble):
    """The newest bundle is refused or missing; a valid one that follows is loaded."""
    first = _Watched(models, WorkerSync(tmp_path))
    first.refresh()
    live = first.get().version
    break_bundle("broken")
    _point_to(models, "broken")
    if trouble == "no link":
        (models / CURRENT_LINK).unlink()
    late = _Watched(models, WorkerSync(tmp_path))
    late.refresh()

    assert late.get().version == live
    assert late.swaps == [(None, live)]
    assert late.refusals == (trouble == "broken")
    assert late.problem != ""

    late.refresh()
    _point_to(models, live)
    late.refresh()
    assert late.problem == ""
    assert len(late.swaps) == 1


def test_worker_that_starts_late_does_not_serve_a_changed_bundle(models, break_bundle, tmp_path):
    """The bundle that the others have in memory may be broken on disk by now."""
    _Watched(models, WorkerSync(tmp_path)).refresh()
    break_bundle("broken")
    _flip_bit(models / CURRENT_LINK / "forest.npz")
    _point_to(models, "broken")
    late = _Watched(models, WorkerSync(tmp_path))
    late.refresh()

    with pytest.raises(ModelUnavailable, match=r"broken/forest\.npz was changed"):
        late.get()


def test_return_from_a_refused_bundle_is_no_swap(models, break_bundle):
    """The live model has not changed, and there is no problem any more."""
    model = _Watched(models)
    model.refresh()
    old = model.get()
    break_bundle("broken")
    for version in ("broken", old.version):
        _point_to(models, version)
        model.refresh()

    assert model.get() is old
    assert len(model.swaps) == 1
    assert model.problem == ""


def test_repaired_bundle_is_loaded_when_it_is_promoted_again(models, break_bundle):
    """The link has the same target as before, but it is a new link."""
    model = _Watched(models)
    model.refresh()
    mended = break_bundle("mended")
    _point_to(models, "mended")
    model.refresh()
    _flip_bit(mended / "forest.npz")
    _point_to(models, "mended")
    model.refresh()

    assert len(model.swaps) == 2
    assert model.problem == ""


def test_link_that_disappears_keeps_the_model(models: Path):
    """The model in memory stays live; the problem is reported, and ends when the link is back."""
    model = _Watched(models)
    model.refresh()
    version = model.get().version
    (models / CURRENT_LINK).unlink()
    model.refresh()
    assert model.get().version == version
    assert "is broken" in model.problem

    _point_to(models, version)
    model.refresh()
    assert model.problem == ""
