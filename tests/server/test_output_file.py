"""Results go through links and into pipes and devices, and a file keeps its mode and owner."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.server import output_file
from app.server.output_file import is_stream, open_output

_WRITE = "import sys; from pathlib import Path; from app.server.output_file import open_output\n"
_WRITE += "print('before')\nwith open_output(Path(sys.argv[1])) as file: file.write('result\\n')\nprint('after')"


def write(target: Path, text: str = "new") -> None:
    """Write a result."""
    with open_output(target) as file:
        file.write(text)


def test_link_is_followed(tmp_path):
    """Also one that points to nothing yet, and one to a link; the links stay."""
    (tmp_path / "there").mkdir()
    file, link, second = tmp_path / "there" / "file", tmp_path / "link", tmp_path / "second"
    link.symlink_to("there/file")
    second.symlink_to(link)

    for text in ("first", "second"):
        write(second, text)
        assert (file.read_text(), link.is_symlink(), second.is_symlink()) == (text, True, True)

    assert sorted(tmp_path.rglob("*")) == sorted([file, link, second, file.parent])


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o666, 0o444])
def test_mode_is_kept(tmp_path, mode):
    """Whatever the umask and the mode for new files are."""
    file = tmp_path / "file"
    file.write_text("old")
    file.chmod(mode)

    with open_output(file, mode=0o600) as opened:
        opened.write("new")

    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", mode)


def test_new_file_gets_the_asked_for_mode(tmp_path):
    """Private if asked for."""
    with open_output(tmp_path / "private", mode=0o600):
        pass

    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_is_kept(tmp_path):
    """When root writes a result over the file of somebody else."""
    file = tmp_path / "file"
    file.write_text("old")
    os.chown(file, 1234, 1235)

    write(file)

    assert (file.read_text(), file.stat().st_uid, file.stat().st_gid) == ("new", 1234, 1235)


def test_owner_that_cannot_be_kept_refuses(tmp_path, monkeypatch):
    """With the old file untouched."""
    file = tmp_path / "file"
    file.write_text("old")
    real = output_file._status(file)
    assert real is not None
    other = os.stat_result([*real[:4], real.st_uid + 1, *real[5:]])
    monkeypatch.setattr(output_file, "_status", lambda target: other)

    def refuse(*arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(PermissionError, match="only its owner can replace it"):
        write(file)

    assert (file.read_text(), list(tmp_path.iterdir())) == ("old", [file])


def test_pipe_is_written_into(tmp_path):
    """And is a pipe afterwards, also behind a link."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    writer = threading.Thread(target=write, args=[link], daemon=True)
    writer.start()

    assert pipe.read_text() == "new"
    writer.join(5)
    assert pipe.is_fifo()
    assert is_stream(link)


def test_device_is_written_into():
    """It stays a device even for root."""
    write(Path("/dev/null"))

    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"])
def test_standard_output_is_written_in_order(tmp_path, name):
    """Into a pipe, and into a file that the shell has opened to append to."""
    command = [sys.executable, "-c", _WRITE, name]
    piped = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    log = tmp_path / "log"
    log.write_text("earlier\n")
    with log.open("a") as opened:
        subprocess.run(command, stdout=opened, check=True)

    assert piped.stdout == "before\nresult\nafter\n"
    assert log.read_text() == "earlier\nbefore\nresult\nafter\n"


def test_folder_and_dangling_place_are_refused(tmp_path):
    """Nothing is left behind."""
    for target in (tmp_path, Path("/")):
        with pytest.raises(IsADirectoryError, match="it is a folder"):
            write(target)
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "missing" / "file")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        write(tmp_path / "loop")

    assert [entry.name for entry in tmp_path.iterdir()] == ["loop"]


def test_interrupted_result_changes_nothing(tmp_path):
    """The old content stays behind the link, and nothing else."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    link.symlink_to(file)

    def write_half() -> None:
        with open_output(link) as opened:
            opened.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()

    assert (file.read_text(), sorted(tmp_path.iterdir())) == ("old", [file, link])
