"""Output is written completely or not at all, and an unwritable path is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import ModelsNotWritable
from app.server.atomic_file import replacing
from training.errors import refusing_output


def write_half(target: Path) -> None:
    """Start writing, then raise an interruption."""
    with refusing_output(target), replacing(target) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt


def test_file_is_replaced_when_the_block_ends(tmp_path):
    """The old content stays until then, and no other file is left afterwards."""
    target = tmp_path / "page.html"
    target.write_text("old")

    with refusing_output(target), replacing(target) as unfinished:
        unfinished.write_text("né\n", encoding="utf-8")
        assert target.read_text() == "old"

    assert target.read_bytes() == "né\n".encode()
    assert list(tmp_path.iterdir()) == [target]


def test_interrupted_block_changes_nothing(tmp_path):
    """After Ctrl-C, only the old file is there."""
    target = tmp_path / "page.html"
    target.write_text("old")

    with pytest.raises(KeyboardInterrupt):
        write_half(target)

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_unwritable_path_is_reported():
    """The message names the option that changes it."""
    target = Path("/proc/page.html")

    with (
        pytest.raises(ModelsNotWritable, match=r"page\.html cannot be written \(.+\); name another place with --out"),
        refusing_output(target),
        replacing(target) as unfinished,
    ):
        unfinished.write_text("page")
