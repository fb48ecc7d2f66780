"""The recorder's loop: every row that arrives goes to everything that wants rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from app.recorder.handed_rows import HandedRows
from app.recorder.heartbeat import beat
from app.recorder.receiver import Receiver
from app.recorder_metrics import RecorderMetrics

# The sample of the drift detectors is one second's; the heartbeat and the reports are as often.
_TICK_SECONDS = 1.0

# After rows came, others may gather before they are looked for: waking up for each of thousands a second would take
# more than twice the processor time, and a worker's queue holds fifty times as many.
_GATHER_SECONDS = 0.01


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

    def deal_with(received: Iterable[HandedRows]) -> int:
        n_rows = 0
        for handed in received:
            for taker in takers:
                taker.take(handed)
            n_rows += len(handed.scored.scores)
        if n_rows:
            metrics.record_rows(n_rows)
        return n_rows

    due = time.monotonic()
    while not receiver.is_over:
        if time.monotonic() >= due:
            for taker in takers:
                taker.tick()
            beat(folder)
            due = time.monotonic() + _TICK_SECONDS
        if deal_with(receiver.receive(due - time.monotonic())):
            time.sleep(_GATHER_SECONDS)
    deal_with(receiver.receive_rest())
    for taker in takers:
        taker.finish()
