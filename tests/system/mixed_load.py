"""What callers of a service do in a day, within a minute: single rows, batches, outliers, mistakes, questions."""

from __future__ import annotations

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
            self._post("/predictions", {"feature_vectors": [self._row() for _ in range(BATCH_ROWS)], "score": True})
        elif turn == 4:
            self._get("/readyz")
        elif turn == 5:
            tensor = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": self._row()}
            self._post("/v2/models/isowatch/infer", {"inputs": [tensor]})
        else:
            self._post("/prediction", {"feature_vector": self._row(), "score": turn % 4 == 0})

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def _row(self) -> list[float]:
        """Make a row like those of the training, among them one outlier in fifty, unless habits have changed."""
        row: list[float] = self._random.normal(self._habits.shift, size=2).tolist()
        return [value + OUTLIER_DISTANCE for value in row] if self._random.random() < 0.02 else row

    def _get(self, path: str) -> None:
        self._session.get(self._address + path, timeout=30)

    def _post(self, path: str, body: dict[str, object]) -> None:
        self._session.post(self._address + path, json=body, timeout=30)


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
