"""``docs/architecture.md`` and all other files name files that exist."""

from __future__ import annotations

import re
import subprocess
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


def test_files_that_are_named_anywhere_exist():
    """Comments and pages refer to scripts, modules and pages of this repository, also after these were renamed."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = "scripts|docs|app|training|monitoring|loadtest|benchmarks"
    named = re.compile(rf"(?<![\w/.-])(?:{folders})/[\w/.-]+\.(?:py|sh|md)\b")
    readable = [
        ROOT / file for file in listed.splitlines() if not file.startswith("tests/") and (ROOT / file).is_file()
    ]
    missing = {
        f"{file.relative_to(ROOT)}: {path}"
        for file in readable
        if file.suffix not in (".png", ".svg", ".so", ".npz")
        for path in named.findall(file.read_text(encoding="utf-8", errors="replace"))
        if not (ROOT / path).exists() and not (file.parent / path).exists()
    }

    assert not missing
