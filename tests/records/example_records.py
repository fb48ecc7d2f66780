"""Records as the recorder writes them, with labels and audits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert

from app.db.ids import first_id_at
from app.db.tables import AUDITS, HOURLY_COUNTS, LABELS, MODEL_VERSIONS, PENDING_LABELS, PREDICTIONS

# 2026-11-01 in UTC: seconds of tests are counted from here.
START = 1_793_491_200.0


def record_id_at(seconds: float) -> str:
    """Return the id of a record, given its time after the start."""
    return first_id_at(START + seconds)[:-4] + "beef"


def add_version(connection: Connection, version: str, *names: Any) -> None:
    """Add a version of a model and its columns."""
    row = {"version": version, "name": "spending", "feature_names": json.dumps(names), "first_seen_at": START}
    connection.execute(insert(MODEL_VERSIONS).values(row))


def add_record(connection: Connection, seconds: float, n_rows: int = 1, **changed: Any) -> str:
    """Return the record of an answer, given its time after the start; the row number is the first feature."""
    rows = [
        {
            "record_id": record_id_at(seconds),
            "row": row,
            "request_id": None,
            "answered_at": START + seconds,
            "model_version": "v1",
            "segment": "",
            "features": np.array([row, 0.1], "<f4").tobytes(),
            "score": -0.5,
            "is_inlier": 1,
            "confidence": 0.75,
            "recorded_share": 1.0,
        }
        | changed
        for row in range(n_rows)
    ]
    connection.execute(insert(PREDICTIONS), rows)
    return record_id_at(seconds)


def add_label(connection: Connection, record_id: str, row: int = 0, **changed: Any) -> None:
    """Return a current label, given a day after the start."""
    label = {
        "record_id": record_id,
        "row": row,
        "is_inlier": -1,
        "source": "fraud-desk",
        "note": "",
        "given_at": START + 86_400,
        "replaced_at": None,
    }
    connection.execute(insert(LABELS).values(label | changed))


def add_waiting_label(connection: Connection, request_id: str, given_at: float = START) -> None:
    """Return a pending label."""
    label = {
        "request_id": request_id,
        "row": 0,
        "is_inlier": -1,
        "source": "fraud-desk",
        "note": "",
        "given_at": given_at,
    }
    connection.execute(insert(PENDING_LABELS).values(label))


def add_audit(connection: Connection, record_id: str, row: int = 0) -> None:
    """Return an inlier that was drawn for labelling."""
    audit = {"record_id": record_id, "row": row, "probability": 0.001, "position": 0.25, "handed_at": None}
    connection.execute(insert(AUDITS).values(audit))


def add_hour(connection: Connection, n_rows: int) -> None:
    """Return the count of the first hour."""
    hour = {"hour": int(START), "model_version": "v1", "segment": "", "n_rows": n_rows, "n_outliers": 0}
    connection.execute(insert(HOURLY_COUNTS).values(hour))
