"""Failures that only labels show: a model that is wrong, a segment that gets too many alarms, labels that stop."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from loadtest.drill.causes import Cause
from loadtest.drill.programs import wait_until
from loadtest.drill.testbed import Testbed
from loadtest.drill.traffic import Request, batch, request_json
from loadtest.drill.trainings import ordinary_rows
from loadtest.rows import Row

_SEED = 17

# Outliers of one segment among its rows, and ordinary rows of another one.
_OUTLIERS, _UNEVEN_ROWS, _USUAL_ROWS = 60, 300, 1_000

# Ordinary rows after which the segment has as few alarms as the other one.
_EVENING_ROWS = 8_000

# In standard deviations of the training rows: no threshold can miss it.
_SHIFT = 4.0

# Of both kinds. With these, the whole interval is below the target.
_LABELS = 40

# As many as the service hands out at once.
_HANDED_OUT = 100

# The recorder writes rows within a second, on a busy machine within some.
_RECORDED_SECONDS = 30.0

_INLIER, _OUTLIER = 1, -1


@contextmanager
def wrong_model(testbed: Testbed) -> Iterator[None]:
    """Label alarms as false and inliers as missed, once, and flag one segment often; correct all afterwards."""
    address = testbed.replicas["labelled"].address
    generator = random.Random(_SEED)
    far = [tuple(value + _SHIFT for value in row) for row in ordinary_rows(_OUTLIERS, generator)]
    _send(address, [*ordinary_rows(_UNEVEN_ROWS, generator), *far], "uneven")
    _send(address, ordinary_rows(_USUAL_ROWS, generator), "usual")
    alarms, inliers = _take(address, "alarms"), _take(address, "inliers")
    _label(address, alarms, _INLIER)
    _label(address, inliers, _OUTLIER)
    try:
        yield
    finally:
        _label(address, alarms, _OUTLIER)
        _label(address, inliers, _INLIER)
        _send(address, ordinary_rows(_EVENING_ROWS, generator), "uneven")


def _send(address: str, rows: Sequence[Row], segment: str) -> None:
    """Have rows of a segment scored and recorded."""
    request = batch(rows)
    request_json(address, Request(request.path, request.content | {"segment": segment}))


def _take(address: str, kind: str) -> list[dict[str, Any]]:
    """Take rows of a kind from the queue as soon as enough are recorded."""
    taken: list[dict[str, Any]] = []

    def has_enough() -> bool:
        request = Request(f"/audit/next?kind={kind}", {"n": _HANDED_OUT})
        taken.extend(request_json(address, request)["rows"])
        return len(taken) >= _LABELS

    wait_until(has_enough, f"{_LABELS} {kind} to label", _RECORDED_SECONDS)
    return taken


def _label(address: str, rows: Sequence[dict[str, Any]], is_inlier: int) -> None:
    """Submit the same label for all rows."""
    labels = [{"request_id": row["record_id"], "row": row["row"], "is_inlier": is_inlier} for row in rows]
    request_json(address, Request("/feedback", labels))


WRONG_MODEL = Cause(
    "labels contradict the model, then stop",
    ("PrecisionBelowTarget", "RecallBelowTarget", "SegmentOutlierRatioUneven", "NoFeedbackArriving"),
    wrong_model,
)
