"""A file is replaced as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.atomic_file import replacing
from training.errors import ModelsNotWritable


def write_half(target: Path) -> None:
    """Begin to write, and be interrupted."""
    with replacing(target) as opened:
        opened.write("half")
        raise KeyboardInterrupt


def test_file_is_replaced_when_the_block_ends(tmp_path):
    """Until then its old content stands, and nothing else is left."""
    target = tmp_path / "page.html"
    target.write_text("old")

    with replacing(target) as opened:
        opened.write("né\n")
        assert target.read_text() == "old"

    assert target.read_bytes() == "né\n".encode()
    assert list(tmp_path.iterdir()) == [target]


def test_interrupted_block_changes_nothing(tmp_path):
    """Ctrl-C in the middle leaves the old file and no other."""
    target = tmp_path / "page.html"
    target.write_text("old")

    with pytest.raises(KeyboardInterrupt):
        write_half(target)

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_place_that_cannot_be_written_is_named():
    """With the option that names another."""
    with pytest.raises(ModelsNotWritable, match=r"page\.html cannot be written \(.+\); name another place with --out"):
        write_half(Path("/proc/page.html"))
