"""Saves the state of the drift detectors to a file, and restores it after a restart."""

from __future__ import annotations

import json
from pathlib import Path

from app.drift.monitor import DriftMonitor
from app.server.atomic_file import replacing


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
    None, or the reason why the state could not be restored.
    """
    try:
        state = json.loads(file.read_bytes())
        if state["model_version"] != model_version:
            return f"{file} is about model {state['model_version']}, not {model_version}."
        monitor.restore(state)
    except FileNotFoundError:
        return f"{file} does not exist yet."
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{file} cannot be used ({type(error).__name__}: {error})."
    return None
