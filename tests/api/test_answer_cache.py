"""An answer that takes long is computed once for all requests in a while, and blocks no other request."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from app.api.answer_cache import AnswerCache
from app.errors import RecordsBusy


class _Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_answer_is_fresh_for_twenty_seconds():
    """Within 20 s the answer is the cached one; after that it is computed again."""
    clock = _Clock()
    cache, made = AnswerCache(clock), iter([b"1", b"2", b"3"])

    def get(key: str) -> bytes:
        return cache.get(key, lambda: next(made))

    assert [get("7d"), get("7d"), get("1d")] == [b"1", b"1", b"2"]
    clock.now = 19.9
    assert get("7d") == b"1"
    clock.now = 20.0
    assert get("7d") == b"3"


def test_slow_answers_are_computed_again_in_the_background():
    """Nobody waits for them twice, until they are a day old; if that fails, the old one stays."""
    clock = _Clock()
    cache = AnswerCache(clock)
    made = iter([b"1", b"2", b"3"])
    is_made = threading.Event()

    def make() -> bytes:
        clock.now += 0.3
        is_made.set()
        return next(made)

    def fail() -> bytes:
        is_made.set()
        raise RecordsBusy("busy")

    def get(compute: Callable[[], bytes]) -> bytes:
        is_made.clear()
        answer = cache.get("7d", compute)
        assert is_made.wait(timeout=60)
        with cache._computing:  # until the thread has ended
            return answer

    assert get(make) == b"1"
    for compute in (fail, make):
        clock.now += 60
        assert get(compute) == b"1"
    assert cache.get("7d", fail) == b"2"
    clock.now += 90_000
    assert get(make) == b"3"


def test_failure_is_not_cached():
    """The next request tries again."""
    cache = AnswerCache()

    with pytest.raises(ZeroDivisionError):
        cache.get("7d", lambda: bytes(1 // 0))

    assert cache.get("7d", lambda: b"made") == b"made"


def test_few_answers_are_cached():
    """The oldest answer is dropped, so that requests for many windows do not fill up memory."""
    clock = _Clock()
    cache = AnswerCache(clock)
    for hours in range(100):
        clock.now += 0.01
        cache.get(f"{hours}h", lambda: b"made")

    assert cache.get("99h", lambda: b"again") == b"made"
    assert cache.get("0h", lambda: b"again") == b"again"
    assert len(cache._answers) < 10


def test_requests_do_not_wait_long_for_each_other():
    """While an answer is computed, an old one is returned again, and a request without an old one is refused."""
    clock = _Clock()
    cache = AnswerCache(clock)
    cache.get("7d", lambda: b"old")
    clock.now = 60.0
    started, go_on = threading.Event(), threading.Event()

    def make() -> bytes:
        started.set()
        assert go_on.wait(timeout=60)
        return b"new"

    maker = threading.Thread(target=cache.get, args=("7d", make))
    maker.start()
    assert started.wait(timeout=60)
    try:
        assert cache.get("7d", lambda: b"never") == b"old"
        with pytest.raises(RecordsBusy, match="try again"):
            cache.get("1d", lambda: b"never")
    finally:
        go_on.set()
        maker.join()

    assert cache.get("7d", lambda: b"never") == b"new"
