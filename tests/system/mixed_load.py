"""What callers of a service do in a day, within a minute: rows, batches, outliers, mistakes, questions, labels."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import numpy as np
import requests

# Any fixed number: two runs send the same requests.
SEED = 16

# Rows in a batch; enough for a batch to be seen beside single rows.
BATCH_ROWS = 40

# How far from the middle of the others an outlier lies, in standard deviations: far, but not beyond all doubt.
OUTLIER_DISTANCE = 3.5

# Among all rows, as among those of the training.
OUTLIER_RATIO = 0.02

# Kinds of callers: how many of the requests are theirs, and how many of their rows are outliers. One has more than the
# others, but not so many that anybody is told.
SEGMENTS = {"DE": (0.5, 0.0175), "FR": (0.3, 0.0175), "PL": (0.2, 0.03)}

# Nobody finds the time to look at every alarm.
LOOKED_AT = 0.7

# Rows of the audit queue that a caller labels within fifty requests: fewer than are drawn, so that some wait.
AUDITED_ROWS = 3


@dataclass
class Habits:
    """What the rows of callers are like, which may change while they call.

    Parameters
    ----------
    shift
        How far all rows are from those of the training, in standard deviations of each feature.
    """

    shift: float = 0.0


class MixedLoad:
    """Requests of all kinds to one service, one after the other.

    Parameters
    ----------
    address
        Of the service.
    habits
        What the rows are like.
    caller
        The number of the caller: no two send the same rows, which would look like a change of the data.
    """

    def __init__(self, address: str, habits: Habits, caller: int) -> None:
        self._address, self._habits = address, habits
        self._random = np.random.default_rng([SEED, caller])
        self._alarms: list[dict[str, object]] = []
        self._session = requests.Session()
        self._session.trust_env = False

    def send(self, number: int) -> None:
        """Send the request with this number; every kind has its turn within fifty."""
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
        """Let go of the connections."""
        self._session.close()

    def _predict_one(self, score: bool) -> None:
        """Ask for one label."""
        segment, outlier_ratio = self._caller()
        row = self._row(outlier_ratio)
        answer = self._post("/prediction", {"feature_vector": row, "score": score, "segment": segment})
        self._note_alarms(answer, [row], [answer.json()["is_inlier"]])

    def _predict_many(self) -> None:
        """Ask for the labels of a batch."""
        segment, outlier_ratio = self._caller()
        rows = [self._row(outlier_ratio) for _ in range(BATCH_ROWS)]
        answer = self._post("/predictions", {"feature_vectors": rows, "score": True, "segment": segment})
        self._note_alarms(answer, rows, answer.json()["is_inlier"])

    def _note_alarms(self, answer: requests.Response, rows: list[list[float]], labels: list[int]) -> None:
        """Look at some of the alarms, and keep what they truly are until it is said."""
        for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
            if label == -1 and self._random.random() < LOOKED_AT:
                self._alarms.append(_label_of(answer.headers["X-Record-ID"], place, row))

    def _label(self) -> None:
        """Say what alarms truly were, and what rows of the audit queue are."""
        # Without rows while the database is busy.
        drawn = self._get(f"/audit/next?n={AUDITED_ROWS}").json().get("rows", [])
        audited = [_label_of(row["record_id"], row["row"], list(row["features"].values())) for row in drawn]
        if labels := self._alarms + audited:
            self._post("/feedback", labels)
        self._alarms = []

    def _caller(self) -> tuple[str, float]:
        """Choose who asks: the segment, and how many of its rows are outliers."""
        name = str(self._random.choice(list(SEGMENTS), p=[share for share, _ in SEGMENTS.values()]))
        return name, SEGMENTS[name][1]

    def _row(self, outlier_ratio: float) -> list[float]:
        """Make a row like those of the training, sometimes an outlier, unless habits have changed."""
        row: list[float] = self._random.normal(self._habits.shift, size=2).tolist()
        return [value + OUTLIER_DISTANCE for value in row] if self._random.random() < outlier_ratio else row

    def _get(self, path: str) -> requests.Response:
        return self._session.get(self._address + path, timeout=30)

    def _post(self, path: str, body: object) -> requests.Response:
        return self._session.post(self._address + path, json=body, timeout=30)


def _label_of(record_id: str, row: int, features: list[float]) -> dict[str, object]:
    """Judge a row as somebody would who knows how both kinds are spread: by the kind that it is likelier of."""
    # The logarithm of how many times likelier an outlier is; as everywhere, few rows are judged wrongly.
    evidence = OUTLIER_DISTANCE * (sum(features) - OUTLIER_DISTANCE) + math.log(OUTLIER_RATIO / (1 - OUTLIER_RATIO))
    return {"request_id": record_id, "row": row, "is_inlier": -1 if evidence > 0 else 1, "source": "load"}


@contextmanager
def under_load(address: str, pause_seconds: float = 0.02, callers: int = 2) -> Iterator[Habits]:
    """Have several callers send requests of all kinds as long as the block takes; give what may change meanwhile."""
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
