"""Files that a person names for a result: links are followed, and nothing but an ordinary file is ever replaced."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from app.server.atomic_file import replacing

# By the custom of Unix commands.
STANDARD_OUTPUT = Path("-")

# Of a new file whose content everybody may read; the umask is subtracted.
_PUBLIC = 0o666

# A spreadsheet takes a cell that starts like this for a formula, which may call programs and send data elsewhere.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@contextmanager
def open_output(target: Path, *, mode: int = _PUBLIC) -> Iterator[TextIOWrapper]:
    r"""Open a file for a result, to be written from its start; the attribute ``buffer`` takes bytes.

    An ordinary file appears whole or stays as it was, also behind a symbolic link, and keeps its permissions and owner.
    Pipes and devices are written into, and ``-``, ``/dev/stdout`` and ``/dev/fd/N`` are what the process has open.

    Parameters
    ----------
    target
        Where to write; the folder exists.
    mode
        Permissions of a new file, less the umask.

    Returns
    -------
    UTF-8 text without conversion of line ends.

    Raises
    ------
    OSError
        If it cannot be written, or is a folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     link, file = Path(folder, "latest.txt"), Path(folder, "report.txt")
    ...     link.symlink_to(file)
    ...     with open_output(link) as opened:
    ...         _ = opened.write("done\n")
    ...     link.is_symlink(), file.read_text()
    (True, 'done\n')
    """
    descriptor = _open_descriptor(target)
    if descriptor is not None or is_stream(target):
        # What was printed before precedes it.
        sys.stdout.flush()
        # A pipe or device is not made here: without O_CREAT, one that was just removed is an error.
        opened = os.dup(descriptor) if descriptor is not None else os.open(target, os.O_WRONLY | os.O_NOCTTY)
        with _as_text(opened) as file:
            yield file
        return
    place = Path(os.path.realpath(target))
    old = _status(target)
    with replacing(place, mode=mode if old is None else stat.S_IRUSR | stat.S_IWUSR) as unfinished:
        with _as_text(os.open(unfinished, os.O_WRONLY)) as file:
            yield file
        if old is not None:
            _keep_owner_and_mode(unfinished, old)


def replace_unprintable() -> None:
    """Make standard output escape characters that its encoding lacks, as standard error does, instead of failing."""
    # A notebook's output is no such file, and prints everything.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def is_stream(target: Path) -> bool:
    """Check whether a target is a pipe, a device or an open file of this process, of which nobody can have a second.

    Raises
    ------
    OSError
        If it is a folder or a socket, or its status cannot be read.

    Examples
    --------
    >>> is_stream(Path("-")), is_stream(Path("/dev/null")), is_stream(Path("results.csv"))
    (True, True, False)
    """
    if _open_descriptor(target) is not None:
        return True
    status = _status(target)
    if status is None or stat.S_ISREG(status.st_mode):
        return False
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.ENXIO, "it is a socket")
    return True


def disarm(text: str) -> str:
    r"""Prefix a text that a spreadsheet would take for a formula with an apostrophe.

    Examples
    --------
    >>> disarm('=HYPERLINK("http://elsewhere")'), disarm("an ordinary note"), disarm("")
    ('\'=HYPERLINK("http://elsewhere")', 'an ordinary note', '')
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _status(target: Path) -> os.stat_result | None:
    """Return the status of what a path leads to; None if there is nothing."""
    try:
        return target.stat()
    except FileNotFoundError:
        return None


def _open_descriptor(target: Path) -> int | None:
    """Return the number of the open file that a path such as ``/dev/stdout`` stands for, or None."""
    if target == STANDARD_OUTPUT:
        return 1
    # Linux follows at most forty links.
    for _ in range(40):
        if os.path.realpath(target.parent) == f"/proc/{os.getpid()}/fd" and target.name.isdecimal():
            return int(target.name)
        if not target.is_symlink():
            break
        target = target.parent / target.readlink()
    return None


@contextmanager
def _as_text(descriptor: int) -> Iterator[TextIOWrapper]:
    """Open a descriptor as text, and close it."""
    with TextIOWrapper(os.fdopen(descriptor, "wb"), encoding="utf-8", newline="") as file:
        yield file


def _keep_owner_and_mode(unfinished: Path, old: os.stat_result) -> None:
    """Copy the owner and permissions of a file to its replacement.

    Raises
    ------
    OSError
        If only the owner could do that.
    """
    new = unfinished.stat()
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.chown(unfinished, old.st_uid, old.st_gid)
        except PermissionError:
            raise PermissionError(errno.EPERM, "only its owner can replace it") from None
    # After the owner, whose change clears bits.
    unfinished.chmod(stat.S_IMODE(old.st_mode))
