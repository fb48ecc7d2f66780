"""State goes where it outlives the service, if that is possible, and says so if not."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.recorder.drift import StateFolder


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """The folder that goes with the service."""
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


def test_folder_is_made(tmp_path: Path, memory: Path):
    """With the folders above it."""
    state = StateFolder(tmp_path / "a" / "b", memory)

    assert state.file_to_write("x.json") == tmp_path / "a" / "b" / "x.json"


def test_folder_that_cannot_be_made_is_replaced_by_memory(
    tmp_path: Path, memory: Path, caplog: pytest.LogCaptureFixture
):
    """It is said once, with what to do; once mended, it is used."""
    (tmp_path / "file").touch()
    state = StateFolder(tmp_path / "file" / "state", memory)

    assert [state.file_to_write("x.json") for _ in range(2)] == [memory / "x.json"] * 2
    assert caplog.text.count("name a writable folder in STATE_DIR") == 1

    (tmp_path / "file").unlink()
    assert state.file_to_write("x.json") == tmp_path / "file" / "state" / "x.json"


def test_two_services_do_not_share_a_folder(tmp_path: Path, memory: Path, caplog: pytest.LogCaptureFixture):
    """The second begins where the first stands, writes elsewhere, and takes the folder over when it is free."""
    first = StateFolder(tmp_path / "state", tmp_path)
    file = first.file_to_write("x.json")
    file.write_text("{}")
    second = StateFolder(tmp_path / "state", memory)

    assert second.file_to_read("x.json") == file
    assert second.file_to_write("x.json") == memory / "x.json"
    assert "another service uses it" in caplog.text
    (memory / "x.json").write_text("{}")
    assert second.file_to_read("x.json") == memory / "x.json"

    first._lock.release()
    assert second.file_to_write("x.json") == file
