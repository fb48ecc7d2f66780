"""Records that were made up."""

from __future__ import annotations

from typing import Any


def make_prediction(record_id: str, row: int = 0, **others: Any) -> dict[str, Any]:
    """Return a row of the table of predictions."""
    return {
        "record_id": record_id,
        "row": row,
        "request_id": None,
        "answered_at": 1000.0,
        "model_version": "v1",
        "segment": "",
        "features": bytes(80),
        "score": -0.5,
        "is_inlier": 1,
        "confidence": 0.9,
        "recorded_share": 1.0,
    } | others
