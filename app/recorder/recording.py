"""The recorder's loop: every row that arrives goes to everything that wants rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from app.recorder.handed_rows import HandedRows
from app.recorder.heartbeat import beat
from app.recorder.receiver import Receiver

# An idle recorder looks as often, so that it knows soon what is there, and a label that comes early is told so.
_LOOK_SECONDS = 0.25

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


def record(receiver: Receiver, takers: Sequence[RowTaker], folder: Path) -> None:
    """Deal with all rows until the service ends, and then with those that were sent before.

    Parameters
    ----------
    receiver
        Gives the rows.
    takers
        Get them, each all, in this order.
    folder
        The metrics folder, which shows that this process lives.
    """

    def deal_with(received: Iterable[HandedRows]) -> bool:
        came = False
        for handed in received:
            for taker in takers:
                taker.take(handed)
            came = True
        return came

    due = time.monotonic()
    while not receiver.is_over:
        if time.monotonic() >= due:
            for taker in takers:
                taker.tick()
            beat(folder)
            due = time.monotonic() + _TICK_SECONDS
        if deal_with(receiver.receive(min(due - time.monotonic(), _LOOK_SECONDS))):
            time.sleep(_GATHER_SECONDS)
    deal_with(receiver.receive_rest())
    for taker in takers:
        taker.finish()
