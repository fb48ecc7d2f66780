"""State is stored where it outlives the service; if that is not possible, a warning is logged."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.recorder.drift import StateFolder


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """The folder that does not outlive the service."""
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


def test_folder_is_created(tmp_path: Path, memory: Path):
    """With its parents."""
    state = StateFolder(tmp_path / "a" / "b", memory)

    assert state.file_to_write("x.json") == tmp_path / "a" / "b" / "x.json"


def test_folder_that_cannot_be_created_is_replaced_by_memory(
    tmp_path: Path, memory: Path, caplog: pytest.LogCaptureFixture
):
    """A warning is logged once and says what to do; once the problem is fixed, the folder is used."""
    (tmp_path / "file").touch()
    state = StateFolder(tmp_path / "file" / "state", memory)

    assert [state.file_to_write("x.json") for _ in range(2)] == [memory / "x.json"] * 2
    assert caplog.text.count("name a writable folder in STATE_DIR") == 1

    (tmp_path / "file").unlink()
    assert state.file_to_write("x.json") == tmp_path / "file" / "state" / "x.json"


def test_two_services_do_not_share_a_folder(tmp_path: Path, memory: Path, caplog: pytest.LogCaptureFixture):
    """The second starts from the state of the first, writes elsewhere, and uses the folder when it is free."""
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
