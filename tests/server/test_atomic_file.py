"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.server.atomic_file import replacing


def write_half(target: Path) -> None:
    """Write a part of a file, then get interrupted."""
    with replacing(target) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt


def test_file_is_replaced_when_the_block_ends(tmp_path):
    """Until then readers see the old content; afterwards nothing else is left in the folder."""
    target = tmp_path / "page.html"
    target.write_text("old")

    with replacing(target) as unfinished:
        unfinished.write_bytes(b"new")
        assert target.read_text() == "old"

    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_interrupted_block_changes_nothing(tmp_path):
    """Ctrl-C in the middle leaves the old file and no other."""
    target = tmp_path / "page.html"
    target.write_text("old")

    with pytest.raises(KeyboardInterrupt):
        write_half(target)

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_mode_protects_content_from_the_first_byte(tmp_path):
    """The file exists with its permissions before anything is written to it."""
    target = tmp_path / "records.csv"

    with replacing(target, mode=0o600) as unfinished:
        assert unfinished.stat().st_mode & 0o777 == 0o600
        unfinished.write_text("private")

    assert target.stat().st_mode & 0o777 == 0o600


def test_folder_that_cannot_be_written_is_refused_before_the_block():
    """With a mode, so that no work is done for nothing."""
    with pytest.raises(OSError, match="/proc"), replacing(Path("/proc/page.html"), mode=0o600):
        raise AssertionError


def test_link_is_replaced(tmp_path):
    """A link has no content to flush."""
    target = tmp_path / "live"
    target.symlink_to("old")

    with replacing(target, durable=False) as unfinished:
        unfinished.symlink_to("new")

    assert str(target.readlink()) == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("durable", "flushes"), [(True, 1), (False, 0)])
def test_content_reaches_the_disk_before_the_rename(tmp_path, monkeypatch, durable, flushes):
    """Unless it need not survive a power cut."""
    targets_at_flush = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: targets_at_flush.append((tmp_path / "state").exists()))

    with replacing(tmp_path / "state", durable=durable) as unfinished:
        unfinished.write_text("x")

    assert targets_at_flush == [False] * flushes


def test_leftover_of_a_killed_process_with_the_same_id_is_overwritten(tmp_path):
    """In a container, each start may have the same process id."""
    (tmp_path / f".state.{os.getpid()}.writing").write_text("half of something else")

    with replacing(tmp_path / "state", mode=0o600) as unfinished:
        unfinished.write_text("x")

    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("state", "x")]
