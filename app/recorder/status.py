"""What the recorder last said about drift, in a file that every worker can read.

How others see that the recorder lives: it touches a file in the metrics folder once a second.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from app.errors import DriftUnknown
from app.records.timestamps import format_timestamp
from app.server.atomic_file import replacing

_HEARTBEAT_FILE = "recorder.heartbeat"

# A recorder that is busy with a new model or waits for a disk misses a few beats.
_SILENT_AFTER_SECONDS = 5.0


def beat(folder: Path) -> None:
    """Say that this recorder lives; a full folder is no reason to end."""
    with suppress(OSError):
        (folder / _HEARTBEAT_FILE).touch()


def beats(folder: Path) -> bool:
    """Tell whether a recorder said within the last seconds that it lives; one that was stopped does not."""
    try:
        last = (folder / _HEARTBEAT_FILE).stat().st_mtime
    except OSError:
        return False
    return time.time() - last < _SILENT_AFTER_SECONDS


_REPORT_FILE = "drift.json"


def write_report(folder: Path, model_version: str | None, state: str, described: dict[str, Any], now: float) -> None:
    """Write the report; whoever reads meanwhile finds the one before.

    Parameters
    ----------
    folder
        The metrics folder.
    model_version
        Of the model that is live, if one is.
    state
        What is watched, or why nothing is, in words.
    described
        Where the detectors stand, as ``DriftWatch.describe`` says it; empty without detectors.
    now
        Seconds since 1970.
    """
    detectors = {
        name: detector | {"last_event": _lay_out_event(detector["last_event"])}
        for name, detector in described.get("detectors", {}).items()
    }
    report = {"state": state, "model_version": model_version, "updated_at": format_timestamp(now)}
    with replacing(folder / _REPORT_FILE, durable=False) as unfinished:
        unfinished.write_bytes(msgspec.json.encode(report | described | {"detectors": detectors}))


def read_report(folder: Path | None) -> dict[str, Any]:
    """Read the last report, whether there is still somebody to write another, and of which replica it is.

    Parameters
    ----------
    folder
        The metrics folder; None where a single process serves without one.

    Raises
    ------
    DriftUnknown
        If there is no report. The message says what to do.
    """
    if folder is None:
        raise DriftUnknown("This process runs without a recorder, which watches for drift: start it with Gunicorn.")
    try:
        report: dict[str, Any] = msgspec.json.decode((folder / _REPORT_FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        raise DriftUnknown("The recorder has not reported yet: ask again in a few seconds.") from None
    return {"replica": socket.gethostname(), "recorder_up": beats(folder)} | report


def _lay_out_event(event: dict[str, Any] | None) -> dict[str, Any] | None:
    """Say of an event what a caller wants to know."""
    if event is None:
        return None
    return {"at": format_timestamp(event["seconds"]), "row": event["row"], "feature": event["feature"]}
