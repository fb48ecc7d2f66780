"""An answer that takes long is computed once for all requests in a while, and blocks no other request."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.api.answer_cache import AnswerCache, AnswerFiles
from app.errors import RecordsBusy
from app.settings import Settings


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


def test_slow_answers_outlive_the_service_and_are_shared(tmp_path: Path):
    """A new worker returns the answer of another at once, and computes it again only when it is old."""
    files = AnswerFiles(Settings(state_dir=str(tmp_path)), "quality")
    clock = _Clock()

    def make() -> bytes:
        clock.now += 0.3
        return b"computed"

    def fail() -> bytes:
        raise AssertionError("computed again")

    assert AnswerCache(clock, files).get("7d", make) == b"computed"
    [file] = tmp_path.glob("answers/*.json")
    assert file.stat().st_mode & 0o777 == 0o600

    assert AnswerCache(files=files).get("7d", fail) == b"computed"
    os.utime(file, (time.time() - 60,) * 2)
    is_made = threading.Event()

    def make_again() -> bytes:
        is_made.set()
        return b"again"

    assert AnswerCache(files=files).get("7d", make_again) == b"computed"
    assert is_made.wait(60)
    files.write("7d", b"old")
    os.utime(file, (time.time() - 90_000,) * 2)
    assert AnswerCache(files=files).get("7d", lambda: b"new") == b"new"


@pytest.mark.parametrize("other", [{"database_url": "b"}, {"label_noise": 0.02}, {"record_predictions": 0.0}])
def test_answers_that_depend_on_other_settings_are_not_mixed(tmp_path: Path, other: dict[str, Any]):
    """Two services may have one folder, and a service is started again with other settings."""
    AnswerFiles(Settings(state_dir=str(tmp_path)), "quality").write("7d", b"one")
    assert AnswerFiles(Settings(state_dir=str(tmp_path), **other), "quality").read("7d") is None


def test_file_that_cannot_be_an_answer_is_ignored(tmp_path: Path):
    """It is empty, or from a time when the clock was ahead."""
    files = AnswerFiles(Settings(state_dir=str(tmp_path)), "quality")
    files.write("7d", b"")
    assert files.read("7d") is None
    files.write("7d", b"old")
    os.utime(files._file_of("7d"), (time.time() + 3600,) * 2)
    assert files.read("7d") is None


def test_quick_answer_replaces_an_old_slow_one(tmp_path: Path):
    """Other workers then compute it themselves."""
    files = AnswerFiles(Settings(state_dir=str(tmp_path)), "quality")
    AnswerCache(files=files)._store("7d", b"slow", seconds=1.0)
    assert files.read("7d") is not None
    AnswerCache(files=files)._store("7d", b"quick", seconds=0.1)
    assert files.read("7d") is None


def test_few_files_are_kept(tmp_path: Path):
    """The oldest go."""
    files = AnswerFiles(Settings(state_dir=str(tmp_path)), "quality")
    for hours in range(12):
        files.write(f"{hours}h", b"made")
        os.utime(files._file_of(f"{hours}h"), (time.time() - 100 + hours,) * 2)
    assert files.read("0h") is None
    assert len(list(tmp_path.glob("answers/*"))) == 8
