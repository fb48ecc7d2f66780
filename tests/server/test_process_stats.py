"""The memory limit is read from both versions of cgroups."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from app.server.process_stats import memory_limit_bytes

TOTAL = psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("file", "content", "limit"),
    [
        ("memory.max", "268435456\n", 2**28),
        ("memory.max", "max\n", TOTAL),
        ("memory/memory.limit_in_bytes", "268435456\n", 2**28),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", TOTAL),
        ("unrelated", "1\n", TOTAL),
    ],
)
def test_limit_is_that_of_the_container_or_machine(tmp_path: Path, file: str, content: str, limit: int):
    """Without a limit, it is the memory of the machine."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)

    assert memory_limit_bytes(tmp_path) == limit
