"""A mix of all kinds of requests: rows, batches, outliers, invalid requests, model information, labels."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import numpy as np
import requests

# Services without key files ignore it.
API_KEY = "key-of-the-load"

# Any fixed number: two runs send the same requests.
SEED = 16

# Enough rows for batches to show next to single rows.
BATCH_ROWS = 40

# Distance of outliers from the other rows, in standard deviations: far, but with some overlap.
OUTLIER_DISTANCE = 3.5

# Share of outliers, as in the training rows.
OUTLIER_RATIO = 0.02

# Segments, with their share of the requests and their share of outliers. One has more outliers than the others, but not
# enough for an alert.
SEGMENTS = {"DE": (0.5, 0.0175), "FR": (0.3, 0.0175), "PL": (0.2, 0.03)}

# Share of alarms that get a label.
LABELLED_SHARE = 0.7

# Rows of the audit queue that a caller labels per fifty requests: less than are sampled, so some stay pending.
AUDITED_ROWS = 3


@dataclass
class Habits:
    """Properties of the callers' rows, which may change during the load.

    Parameters
    ----------
    shift
        Distance of all rows from the training rows, in standard deviations of each feature.
    """

    shift: float = 0.0


class MixedLoad:
    """Send requests of all kinds to a service, one at a time.

    Parameters
    ----------
    address
        URL of the service.
    habits
        Properties of the rows.
    caller
        Number of the caller. Callers send different rows, because identical ones would look like drift.
    """

    def __init__(self, address: str, habits: Habits, caller: int) -> None:
        self._address, self._habits = address, habits
        self._random = np.random.default_rng([SEED, caller])
        self._alarms: list[dict[str, object]] = []
        self._session = requests.Session()
        self._session.headers["X-API-Key"] = API_KEY
        self._session.trust_env = False

    def send(self, number: int) -> None:
        """Send the request with this number; every fifty requests include each kind."""
        turn = number % 50
        if turn == 0:
            self._get("/model_information")
        elif turn == 1:
            self._get("/no/such/page")
        elif turn == 2:
            self._post("/prediction", {"feature_vector": ["much", 0.2]})
        elif turn == 3:
            self._predict_many()
        elif turn == 4:
            self._get("/readyz")
        elif turn == 5:
            tensor = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": self._row(OUTLIER_RATIO)}
            self._post("/v2/models/isowatch/infer", {"inputs": [tensor]})
        elif turn == 6:
            self._label()
        else:
            self._predict_one(score=turn % 4 == 0)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _predict_one(self, score: bool) -> None:
        """Request one label."""
        segment, outlier_ratio = self._caller()
        row = self._row(outlier_ratio)
        answer = self._post("/prediction", {"feature_vector": row, "score": score, "segment": segment})
        self._store_alarms(answer, [row], [answer.json()["is_inlier"]])

    def _predict_many(self) -> None:
        """Request the labels of a batch."""
        segment, outlier_ratio = self._caller()
        rows = [self._row(outlier_ratio) for _ in range(BATCH_ROWS)]
        answer = self._post("/predictions", {"feature_vectors": rows, "score": True, "segment": segment})
        self._store_alarms(answer, rows, answer.json()["is_inlier"])

    def _store_alarms(self, answer: requests.Response, rows: list[list[float]], labels: list[int]) -> None:
        """Store true labels for some of the alarms, to be submitted later."""
        for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
            if label == -1 and self._random.random() < LABELLED_SHARE:
                self._alarms.append(_label_of(answer.headers["X-Record-ID"], place, row))

    def _label(self) -> None:
        """Submit true labels of alarms and of rows from the audit queue."""
        # There are no rows while the database is busy.
        drawn = self._post("/audit/next", {"n": AUDITED_ROWS}).json().get("rows", [])
        audited = [_label_of(row["record_id"], row["row"], list(row["features"].values())) for row in drawn]
        if labels := self._alarms + audited:
            self._post("/feedback", labels)
        self._alarms = []

    def _caller(self) -> tuple[str, float]:
        """Return a random segment and its share of outliers."""
        name = str(self._random.choice(list(SEGMENTS), p=[share for share, _ in SEGMENTS.values()]))
        return name, SEGMENTS[name][1]

    def _row(self, outlier_ratio: float) -> list[float]:
        """Generate a row like the training rows, shifted by the current habits, sometimes an outlier."""
        row: list[float] = self._random.normal(self._habits.shift, size=2).tolist()
        return [value + OUTLIER_DISTANCE for value in row] if self._random.random() < outlier_ratio else row

    def _get(self, path: str) -> requests.Response:
        return self._session.get(self._address + path, timeout=30)

    def _post(self, path: str, body: object) -> requests.Response:
        return self._session.post(self._address + path, json=body, timeout=30)


def _label_of(record_id: str, row: int, features: list[float]) -> dict[str, object]:
    """Return the label that is likelier, given the distributions of inliers and outliers."""
    # Log odds of being an outlier; as in reality, a few rows get the wrong label.
    evidence = OUTLIER_DISTANCE * (sum(features) - OUTLIER_DISTANCE) + math.log(OUTLIER_RATIO / (1 - OUTLIER_RATIO))
    return {"request_id": record_id, "row": row, "is_inlier": -1 if evidence > 0 else 1, "source": "load"}


@contextmanager
def under_load(address: str, pause_seconds: float = 0.02, callers: int = 2) -> Iterator[Habits]:
    """Send requests of all kinds from several threads while the block runs; yield habits that may be changed."""
    ended, habits = threading.Event(), Habits()

    def call(caller: int) -> None:
        load = MixedLoad(address, habits, caller)
        for number in count():
            if ended.wait(pause_seconds):
                break
            load.send(number)
        load.close()

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield habits
    finally:
        ended.set()
        for thread in threads:
            thread.join()
