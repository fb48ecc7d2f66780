"""The walks through the code stay as short as ``docs/architecture.md`` says."""

from __future__ import annotations

import pytest

from tests.contract.walks import MAX_FILES, count_walks


@pytest.fixture(scope="module")
def walks() -> dict[str, list[str]]:
    """The files on each walk."""
    return count_walks()


@pytest.mark.parametrize("walk", list(MAX_FILES))
def test_walk_is_short(walks, walk):
    """A prediction, a recorded row and a CSV row cross at most so many files."""
    assert 5 < len(walks[walk]) <= MAX_FILES[walk], walks[walk]
