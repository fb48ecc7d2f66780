"""The recorder's loop: every row that arrives goes to everything that wants rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from app.recorder.handed_rows import HandedRows
from app.recorder.heartbeat import beat
from app.recorder.receiver import Receiver
from app.recorder_metrics import RecorderMetrics

# The sample of the drift detectors is one second's; the heartbeat and the reports are as often.
_TICK_SECONDS = 1.0


class RowTaker(Protocol):
    """Something that wants every row."""

    def take(self, handed: HandedRows) -> None:
        """Take rows, in a few microseconds: the workers' queues fill meanwhile."""

    def tick(self) -> None:
        """Do what is due every second."""

    def finish(self) -> None:
        """Do what is due at the end."""


def record(receiver: Receiver, takers: Sequence[RowTaker], metrics: RecorderMetrics, folder: Path) -> None:
    """Deal with all rows until the service ends, and then with those that were sent before.

    Parameters
    ----------
    receiver
        Gives the rows.
    takers
        Get them, each all.
    metrics
        Count them.
    folder
        The metrics folder, which shows that this process lives.
    """

    def deal_with(handed: HandedRows) -> None:
        for taker in takers:
            taker.take(handed)
        metrics.record_rows(len(handed.scored.scores))

    due = time.monotonic()
    while not receiver.is_over:
        if time.monotonic() >= due:
            for taker in takers:
                taker.tick()
            beat(folder)
            due = time.monotonic() + _TICK_SECONDS
        for handed in receiver.receive(due - time.monotonic()):
            deal_with(handed)
    for handed in receiver.receive_rest():
        deal_with(handed)
    for taker in takers:
        taker.finish()
