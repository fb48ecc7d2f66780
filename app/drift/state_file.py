"""Saves the state of the drift detectors to a file, and restores it after a restart."""

from __future__ import annotations

import json
from pathlib import Path

from app.drift.monitor import DriftMonitor
from app.server.atomic_file import replacing
from app.server.regular_file import read_regular

# The last 1,000 rows of 256 features, written with all digits, are 6 MB.
_MAX_STATE_BYTES = 32 * 2**20

# Appended to the name of a file that cannot be used. There is one at most: the newest tells most.
QUARANTINED = ".unreadable"


class UnreadableState(Exception):
    """A saved state that cannot be used; the message has the reason."""


def save_state(file: Path, monitor: DriftMonitor, model_version: str) -> None:
    """Write the state; the file is replaced as a whole.

    Parameters
    ----------
    file
        The file to write.
    monitor
        The monitor to save.
    model_version
        The version of its model.

    Raises
    ------
    OSError
        If the file cannot be written; the old one then stays.
    """
    with replacing(file) as unfinished:
        text = json.dumps({"model_version": model_version} | monitor.state(), allow_nan=False)
        unfinished.write_text(text, encoding="ascii")


def restore_state(file: Path, monitor: DriftMonitor, model_version: str) -> str | None:
    """Restore a saved state into a new monitor.

    Parameters
    ----------
    file
        A file of :func:`save_state`; it need not exist.
    monitor
        A monitor that has seen no row yet.
    model_version
        The version of its model.

    Returns
    -------
    None, or the reason why there is no state for this model.

    Raises
    ------
    UnreadableState
        If the file cannot be used; the monitor may then be half restored, and must not be used either.
    """
    try:
        state = json.loads(read_regular(file, _MAX_STATE_BYTES))
        if state["model_version"] != model_version:
            return f"{file} is about model {state['model_version']}, not {model_version}."
        monitor.restore(state)
    except FileNotFoundError:
        return f"{file} does not exist yet."
    # A file that somebody else wrote, or that a failing disk changed, can make the parser raise anything.
    except Exception as error:
        raise UnreadableState(f"{file} cannot be used ({type(error).__name__}: {error})") from error
    return None


def quarantine(file: Path) -> Path:
    """Rename a file that cannot be used, so that it is kept for a person, and not read at the next start.

    Returns
    -------
    The new path; a file that is there from before is replaced.

    Raises
    ------
    OSError
        If it cannot be renamed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "drift-state.json")
    ...     _ = file.write_text("[[[")
    ...     quarantine(file).name, file.exists()
    ('drift-state.json.unreadable', False)
    """
    return file.replace(file.with_name(file.name + QUARANTINED))
