"""The recorder's status in the metrics folder, where every worker can read it: a heartbeat and the drift report."""

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

_HEARTBEAT_FILE, _REPORT_FILE = "recorder.heartbeat", "drift.json"

# A recorder that loads a new model or waits for a disk misses a few beats.
_SILENT_AFTER_SECONDS = 5.0


def beat(folder: Path) -> None:
    """Touch the heartbeat file; a full folder is no reason to stop."""
    with suppress(OSError):
        (folder / _HEARTBEAT_FILE).touch()


def is_recorder_up(folder: Path) -> bool:
    """Return whether the recorder's last heartbeat is at most a few seconds old."""
    try:
        last = (folder / _HEARTBEAT_FILE).stat().st_mtime
    except OSError:
        return False
    return time.time() - last < _SILENT_AFTER_SECONDS


def write_report(folder: Path, model_version: str | None, state: str, described: dict[str, Any], now: float) -> None:
    """Write the drift report for ``GET /drift``.

    Parameters
    ----------
    folder
        The metrics folder.
    model_version
        The version of the live model, if there is one.
    state
        What is monitored, or why nothing is.
    described
        State of the detectors, from ``DriftMonitor.describe``; empty without detectors.
    now
        Seconds since 1970.
    """
    detectors = {
        name: detector | {"last_event": _serialize_event(detector["last_event"])}
        for name, detector in described.get("detectors", {}).items()
    }
    report = {"state": state, "model_version": model_version, "updated_at": format_timestamp(now)}
    with replacing(folder / _REPORT_FILE, durable=False) as unfinished:
        unfinished.write_bytes(msgspec.json.encode(report | described | {"detectors": detectors}))


def read_report(folder: Path | None) -> dict[str, Any]:
    """Read the last drift report, and add the replica and whether its recorder is up.

    Parameters
    ----------
    folder
        The metrics folder; None in a single process, which has none.

    Raises
    ------
    DriftUnknown
        If there is no report.
    """
    if folder is None:
        raise DriftUnknown("This process runs without a recorder, which watches for drift: start it with Gunicorn.")
    try:
        report: dict[str, Any] = msgspec.json.decode((folder / _REPORT_FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        raise DriftUnknown("The recorder has not reported yet: try again in a few seconds.") from None
    return {"replica": socket.gethostname(), "recorder_up": is_recorder_up(folder)} | report


def _serialize_event(event: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the parts of an event that ``GET /drift`` shows."""
    if event is None:
        return None
    return {"at": format_timestamp(event["seconds"]), "row": event["row"], "feature": event["feature"]}
