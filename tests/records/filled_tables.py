"""Records as the recorder would write them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sqlalchemy import Engine, insert

from app.db.ids import first_id_at
from app.db.tables import AUDITS, MODEL_VERSIONS, PREDICTIONS, WRITERS

VERSION = "v1"


def make_id(number: int) -> str:
    """Return an id; ids sort like their numbers."""
    return first_id_at(1_000_000.0 + number)


def record(engine: Engine, record_id: str, row: int = 0, **changes: Any) -> None:
    """Record one row."""
    line = {
        "record_id": record_id,
        "row": row,
        "request_id": None,
        "answered_at": 1_000_000.0,
        "model_version": VERSION,
        "segment": "",
        "features": np.array([0.56, 0.23], "<f4").tobytes(),
        "score": -0.45,
        "is_inlier": 1,
        "confidence": 0.9,
        "recorded_share": 1.0,
    }
    with engine.begin() as connection:
        connection.execute(insert(PREDICTIONS), [line | changes])


def name_features(engine: Engine) -> None:
    """Store the features of a model version."""
    line = {"version": VERSION, "name": "isowatch", "feature_names": '["mean", "sd"]', "first_seen_at": 0.0}
    with engine.begin() as connection:
        connection.execute(insert(MODEL_VERSIONS), [line])


def draw(engine: Engine, record_id: str, position: float, row: int = 0, handed_at: float | None = None) -> None:
    """Record an inlier that was drawn for labelling."""
    record(engine, record_id, row)
    line = {"record_id": record_id, "row": row, "probability": 0.001, "position": position, "handed_at": handed_at}
    with engine.begin() as connection:
        connection.execute(insert(AUDITS), [line])


def add_writer(engine: Engine, replica: str = "here", **changes: Any) -> None:
    """Record that a recorder is alive and has written nothing yet."""
    line = {"replica": replica, "written_until": 0.0, "updated_at": time.time(), "stopped_at": None}
    with engine.begin() as connection:
        connection.execute(insert(WRITERS), [line | changes])
