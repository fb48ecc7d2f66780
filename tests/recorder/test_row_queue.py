"""Pending rows take bounded memory and are taken in small batches, and it is known until when all are written."""

from __future__ import annotations

import threading

import numpy as np

from app.recorder.protocol import PublishedRows
from app.recorder.row_queue import BATCH_ROWS, RowQueue
from tests.recorder.made_rows import make_scored


class _Clock:
    """Returns until when everything has been put in."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _rows(n_rows: int, request_id: str = "7f3e") -> PublishedRows:
    return PublishedRows(0.0, request_id, "v1", 5, make_scored(n_rows), "01")


def _sizes(batch: list[PublishedRows]) -> list[int]:
    return [len(part.scored.scores) for part in batch]


def test_rows_are_taken_in_order_and_in_small_batches():
    """A request that is larger than a batch is split into parts that keep the numbers of their rows."""
    queue = RowQueue(_Clock())
    published = _rows(2 * BATCH_ROWS + 7)
    assert queue.put(_rows(3))
    assert queue.put(published)
    queue.close()
    batches = [queue.take_batch(0) for _ in range(4)]
    parts = [part for batch in batches for part in batch][1:]

    assert [_sizes(batch) for batch in batches] == [[3], [BATCH_ROWS], [BATCH_ROWS], [7]]
    assert [part.first_row for part in parts] == [5, 5 + BATCH_ROWS, 5 + 2 * BATCH_ROWS]
    for field in ("rows", "scores", "labels", "confidences"):
        whole = np.concatenate([getattr(part.scored, field) for part in parts])
        np.testing.assert_array_equal(whole, getattr(published.scored, field))
    assert queue.take_batch(0) == []


def test_full_batch_is_taken_without_waiting():
    """The rest is in the next one; the reader is woken by the first row, and by the last of a batch."""
    queue, taken = RowQueue(_Clock()), []
    waiting = threading.Thread(target=lambda: taken.append(queue.take_batch(60)))
    waiting.start()
    for _ in range(BATCH_ROWS + 1):
        queue.put(_rows(1))
    waiting.join(30)

    assert not waiting.is_alive()
    assert 0 < len(taken[0]) <= BATCH_ROWS


def test_rows_beyond_the_limit_are_refused():
    """Rows that are being written count until they are done."""
    queue = RowQueue(_Clock(), max_rows=10)
    assert queue.put(_rows(6))
    assert not queue.put(_rows(5))
    assert queue.put(_rows(4))
    queue.close()
    queue.take_batch(0)
    assert queue.n_rows == 10
    assert not queue.put(_rows(1))

    queue.finish(10)
    assert queue.n_rows == 0
    assert queue.put(_rows(1))


def test_time_is_reached_when_every_earlier_row_is_done():
    """Neither queued rows nor those being written are done; rows of the current transaction count as done."""
    clock = _Clock()
    queue = RowQueue(clock)
    assert queue.done_until() == 0.0
    queue.put(_rows(2))
    clock.seconds = 10.0
    queue.put(_rows(3))
    assert queue.done_until() == 0.0
    queue.close()
    queue.take_batch(0)
    assert queue.done_until(n_more_rows=4) == 0.0
    assert queue.done_until(n_more_rows=5) == 10.0
    queue.finish(5)
    clock.seconds = 20.0
    assert queue.done_until() == 20.0


def test_time_follows_a_clock_that_is_set_back():
    """Otherwise, labels of pending rows would be unknown until the clock has caught up."""
    clock = _Clock()
    queue = RowQueue(clock)
    queue.close()
    clock.seconds = 3700.0
    assert queue.done_until() == 3700.0
    clock.seconds = 100.0
    queue.put(_rows(1))
    queue.done_until()
    queue.take_batch(0)
    queue.finish(1)
    assert queue.done_until() == 100.0


def test_time_advances_under_constant_load():
    """The queue need not be empty: it is enough that the rows of that time are done."""
    clock = _Clock()
    queue = RowQueue(clock)
    queue.close()
    for second in range(1, 10):
        queue.put(_rows(10))
        clock.seconds = float(second)
        queue.put(_rows(10))
        n_rows = sum(_sizes(queue.take_batch(0)))
        queue.put(_rows(10))
        queue.finish(n_rows)
        told = queue.done_until()
        assert second - 1 <= told <= second
