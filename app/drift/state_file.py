"""The state of the drift detectors in a file, so that a restart forgets nothing."""

from __future__ import annotations

import json
from pathlib import Path

from app.drift.monitor import DriftWatch
from app.server.atomic_file import replacing


def save_state(file: Path, watch: DriftWatch, model_version: str) -> None:
    """Write the state; whoever reads the file meanwhile finds the one before.

    Parameters
    ----------
    file
        Where to.
    watch
        What to save.
    model_version
        Of the model that is watched.

    Raises
    ------
    OSError
        If the file cannot be written; the one before is then as it was.
    """
    with replacing(file) as unfinished:
        text = json.dumps({"model_version": model_version} | watch.state(), allow_nan=False)
        unfinished.write_text(text, encoding="ascii")


def restore_state(file: Path, watch: DriftWatch, model_version: str) -> str | None:
    """Let a new watch go on where a saved one stopped.

    Parameters
    ----------
    file
        What :func:`save_state` wrote, or where it will.
    watch
        A watch that has seen no row yet.
    model_version
        Of the model that it watches.

    Returns
    -------
    Why it starts anew, None if it goes on.
    """
    try:
        state = json.loads(file.read_bytes())
        if state["model_version"] != model_version:
            return f"{file} is about model {state['model_version']}, {model_version} is watched."
        watch.restore(state)
    except FileNotFoundError:
        return f"{file} does not exist yet."
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{file} cannot be used ({type(error).__name__}: {error})."
    return None
