"""The examples of programs: pytest takes none from a ``__main__.py``."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# benchmarks/servers run in environments of their own, with packages that ours has not.
PROGRAMS = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for package in ("app", "training", "monitoring", "loadtest", "benchmarks", "scripts")
    for file in (ROOT / package).rglob("__main__.py")
    if ">>> " in file.read_text(encoding="utf-8") and "servers" not in file.parts
)


def test_there_are_programs_with_examples():
    """Otherwise the test below would check nothing."""
    assert PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_examples_of_a_program_are_correct(program):
    """Each example prints the documented output."""
    examples = doctest.testmod(importlib.import_module(program), optionflags=doctest.ELLIPSIS)

    assert examples.attempted > 0
    assert examples.failed == 0
