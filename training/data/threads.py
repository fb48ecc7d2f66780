"""Compute with the blocks of a table in threads: Arrow, NumPy and the kernel release the interpreter lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")


class Threads:
    """One thread for each processor that this process may use."""

    def __init__(self) -> None:
        self._n_threads = len(os.sched_getaffinity(0))
        self._executor = ThreadPoolExecutor(self._n_threads, "blocks")

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)

    def map(self, function: Callable[[_Input], _Output], inputs: Iterable[_Input]) -> Iterator[_Output]:
        """Yield results in the order of the inputs, of which only few are read ahead."""
        pending: deque[Future[_Output]] = deque()
        for each in inputs:
            pending.append(self._executor.submit(function, each))
            # Each thread has one, and one is ready.
            if len(pending) > self._n_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
