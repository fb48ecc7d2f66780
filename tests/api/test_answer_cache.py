"""What takes long to make is made once for all who ask in a while, and holds up nobody."""

from __future__ import annotations

import threading

import pytest

from app.api.answer_cache import RecentAnswers
from app.errors import RecordsBusy


class _Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_answer_is_made_anew_after_a_while():
    """Until then it is the same."""
    clock = _Clock()
    answers, made = RecentAnswers(clock), iter([b"1", b"2", b"3"])

    def ask(name: str) -> bytes:
        return answers.get(name, lambda: next(made))

    assert [ask("7d"), ask("7d"), ask("1d")] == [b"1", b"1", b"2"]
    clock.now = 60.0
    assert ask("7d") == b"3"


def test_failure_is_not_kept():
    """The next one who asks tries again."""
    answers = RecentAnswers()

    with pytest.raises(ZeroDivisionError):
        answers.get("7d", lambda: bytes(1 // 0))

    assert answers.get("7d", lambda: b"made") == b"made"


def test_few_answers_are_kept():
    """The oldest makes room, so that asking for every window there is fills no memory."""
    clock = _Clock()
    answers = RecentAnswers(clock)
    for hours in range(100):
        clock.now += 0.01
        answers.get(f"{hours}h", lambda: b"made")

    assert answers.get("99h", lambda: b"again") == b"made"
    assert answers.get("0h", lambda: b"again") == b"again"
    assert len(answers._kept) < 10


def test_nobody_waits_long_for_another_request():
    """While one answer is made, an old one is given again, and one that there is not yet is refused."""
    clock = _Clock()
    answers = RecentAnswers(clock)
    answers.get("7d", lambda: b"old")
    clock.now = 60.0
    begun, go_on = threading.Event(), threading.Event()

    def make() -> bytes:
        begun.set()
        assert go_on.wait(timeout=60)
        return b"new"

    maker = threading.Thread(target=answers.get, args=("7d", make))
    maker.start()
    assert begun.wait(timeout=60)
    try:
        assert answers.get("7d", lambda: b"never") == b"old"
        with pytest.raises(RecordsBusy, match="try again"):
            answers.get("1d", lambda: b"never")
    finally:
        go_on.set()
        maker.join()

    assert answers.get("7d", lambda: b"never") == b"new"
