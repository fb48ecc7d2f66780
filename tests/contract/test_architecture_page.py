"""``docs/architecture.md`` names files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

TABLE = PAGE.partition("## Where is")[2]
PATHS = re.findall(r"`([\w./]+)`", "\n".join(line.split("|")[2] for line in TABLE.splitlines() if line.count("|") == 3))
_PLACES = re.findall(r"`((?:api|web|model|metrics|recorder|records|db|training)/[\w/]+)`", PAGE)
WALKED = sorted({path if path.startswith("training/") else f"app/{path}" for path in _PLACES})


def test_table_is_read():
    """About thirty behaviours are listed; a change of the table's format must not empty this test."""
    assert len(PATHS) > 30


@pytest.mark.parametrize("path", sorted(set(PATHS)))
def test_path_in_the_table_exists(path):
    """Each file or folder of the table exists."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", WALKED)
def test_file_on_a_walk_exists(path):
    """Each file that a walk names exists."""
    assert (ROOT / f"{path}.py").is_file()
