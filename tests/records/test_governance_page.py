"""docs/governance.md lists every table, and everything that is stored about people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.db.tables import AUDITS, LABELS, METADATA, PENDING_LABELS, PREDICTIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "governance.md").read_text()

ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE))


def test_every_table_is_on_the_page():
    """A new table must be considered before a release."""
    assert set(METADATA.tables) <= set(ROWS)


@pytest.mark.parametrize("table", [PREDICTIONS, LABELS, PENDING_LABELS, AUDITS], ids=lambda table: table.name)
def test_every_column_about_people_is_on_the_page(table):
    """In the line of its table; our own ids say nothing about people."""
    named = set(re.findall(r"`(\w+)`", ROWS[table.name]))

    assert named == {column.name for column in table.columns} - {"id"}
