"""Rows wait in bounded memory, come out in small batches, and it is known until when none is missing."""

from __future__ import annotations

import threading

import numpy as np

from app.recorder.protocol import PublishedRows
from app.recorder.row_queue import BATCH_ROWS, RowQueue
from tests.recorder.made_rows import make_scored


class _Clock:
    """Says until when everything has been put in."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _rows(n_rows: int, request_id: str = "7f3e") -> PublishedRows:
    return PublishedRows(0.0, request_id, "v1", 5, make_scored(n_rows), "01")


def _sizes(batch: list[PublishedRows]) -> list[int]:
    return [len(part.scored.scores) for part in batch]


def test_rows_come_out_in_order_and_in_small_batches():
    """A request that is larger than a batch comes in parts that know their rows' numbers."""
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


def test_full_batch_is_not_waited_for():
    """The rest comes with the next one; who waits is woken by the first row, and by the last of a batch."""
    queue, taken = RowQueue(_Clock()), []
    waiting = threading.Thread(target=lambda: taken.append(queue.take_batch(60)))
    waiting.start()
    for _ in range(BATCH_ROWS + 1):
        queue.put(_rows(1))
    waiting.join(30)

    assert not waiting.is_alive()
    assert 0 < len(taken[0]) <= BATCH_ROWS


def test_what_finds_no_room_is_refused():
    """Rows that are being written take room until they are done with."""
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


def test_moment_is_told_when_every_row_before_it_is_done_with():
    """Neither the ones that wait nor the ones being written may be missing; the transaction's own count already."""
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


def test_moment_follows_a_clock_that_is_put_back():
    """Or else, until it has caught up, labels of rows that are still to be written would be called unknown."""
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


def test_moment_comes_though_rows_never_cease():
    """The queue need not be empty: it is enough that the rows of that moment are done with."""
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
