"""Records as CSV, for spreadsheets and everything else."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.records.events import Event
from app.records.moments import write_moment
from app.records.record_pages import Page, RecordPages

# What a spreadsheet takes for the beginning of a formula, which may call programs and send data elsewhere. Notes,
# segments and request ids are what callers wrote.
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")

_MOMENTS = ("answered_at", "handed_at", "labelled_at")

FEATURE_PREFIX = "feature."

EVENT_COLUMNS = ("at", "who", "what", "before", "after", "note")


def write_csv(pages: RecordPages, file: Path) -> int:
    """Write all records, a line each, after one with the names of the columns.

    Parameters
    ----------
    pages
        The records.
    file
        To write; UTF-8, lines end as RFC 4180 says.

    Returns
    -------
    The number of rows.
    """
    n_rows = 0
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow([*pages.column_names, *(f"{FEATURE_PREFIX}{name}" for name in pages.feature_names)])
        for page in pages:
            writer.writerows(zip(*_columns(page), strict=True))
            n_rows += len(page.columns["record_id"])
    return n_rows


def write_events_csv(events: Iterable[Event], file: Path) -> None:
    """Write the audit trail, a line each."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(EVENT_COLUMNS)
        for event in events:
            texts = (event.who, event.what, event.before, event.after, event.note)
            writer.writerow([write_moment(event.at), *map(disarm, texts)])


def disarm(text: str) -> str:
    r"""Put an apostrophe before a text that a spreadsheet would take for a formula.

    Examples
    --------
    >>> disarm('=HYPERLINK("http://elsewhere")'), disarm("an ordinary note"), disarm("")
    ('\'=HYPERLINK("http://elsewhere")', 'an ordinary note', '')
    """
    return f"'{text}" if text.startswith(_FORMULA_BEGINS) else text


def _columns(page: Page) -> Iterable[Sequence[Any]]:
    """Give each column of a page as it is written; what is not known is empty."""
    for name, values in page.columns.items():
        if name in _MOMENTS:
            yield ["" if value is None else write_moment(value) for value in values]
        else:
            yield [disarm(value) if isinstance(value, str) else value for value in values]
    for numbers in page.features.values():
        yield _shortest(numbers)


def _shortest(values: npt.NDArray[np.float32]) -> list[str]:
    """Write numbers with as many digits as tell them from every other float32."""
    return ["" if text == "nan" else text for text in values.astype(str).tolist()]
