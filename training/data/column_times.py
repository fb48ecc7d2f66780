"""Read columns of times as hours of the week, and find out how they are written."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.model.times import FORMS, ISO, MILLISECONDS, SECONDS, ZONE, hours_of_seconds
from app.model.values import MISSING_TEXTS
from training.data.column_problems import ColumnProblem, show_cell
from training.data.tables import is_number

# So many different texts are tried as times.
_TRIED_TIMES = 50

# Seconds since 1970 reach this number in the year 5138, milliseconds in March 1973.
_MAX_SECONDS = 1e11

# Numbers that would all be times of 1970 are measurements.
_MIN_SECONDS = 365 * 86_400


def are_times(uniques: pd.Series[str]) -> bool:
    """Return whether texts are dates or times of any form."""
    tried = uniques.head(_TRIED_TIMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the order of day and month is guessed
        times = pd.to_datetime(tried, errors="coerce", format="mixed", utc=True)
    # Words such as "may" are dates to pandas.
    return bool(times.notna().all() and tried.str.contains(r"\d", regex=True).all())


def infer_times(texts: pd.Series[str]) -> tuple[NDArray[np.float64], str]:
    """Return the hours of the week of a training column, and how its times are written.

    Raises
    ------
    ColumnProblem
        If no form fits all of them.
    """
    is_present = ~texts.str.lower().isin(MISSING_TEXTS).to_numpy(bool)
    present = texts[is_present]
    if len(present) and present.map(is_number).all():
        largest = float(present.astype(float).abs().max())
        if largest < _MIN_SECONDS:
            raise ColumnProblem(
                int(is_present.argmax()),
                f"{show_cell(present.iloc[0])} and the others would be seconds of the year 1970; write times as "
                "2026-01-31T12:00, or leave the column out",
            )
        form = SECONDS if largest < _MAX_SECONDS else MILLISECONDS
        return read_times(texts, form), form
    best: ColumnProblem | None = None
    for form in FORMS:
        try:
            return read_times(texts, form), form
        except ColumnProblem as problem:
            # The form that fits most is probably the right one.
            if best is None or problem.position > best.position:
                best = problem
    assert best is not None, "there are forms"
    raise ColumnProblem(
        best.position,
        f"{show_cell(texts.iloc[best.position])} is not a time in the form of the others, or day and month are not in "
        "one order; write it as 2026-01-31T12:00, or leave the column out",
    )


def read_times(texts: pd.Series[str], form: str) -> NDArray[np.float64]:
    """Return hours of the week, from 0 to 167; NaN for a missing value.

    Raises
    ------
    ColumnProblem
        If a text is no time in this form.
    """
    codes, found = pd.factorize(texts)
    uniques = pd.Series(found, dtype=object)
    is_missing = uniques.str.lower().isin(MISSING_TEXTS).to_numpy(bool)
    if form in (SECONDS, MILLISECONDS):
        numbers = pd.to_numeric(uniques, errors="coerce").to_numpy(np.float64) / (1000 if form == MILLISECONDS else 1)
        hours = np.array([np.nan if np.isnan(number) else hours_of_seconds(number) for number in numbers.tolist()])
    else:
        plain = uniques.str.replace(ZONE.pattern, r"\1", regex=True)
        times = pd.to_datetime(plain, errors="coerce", format="ISO8601" if form == ISO else form)
        hours = (times.dt.day_of_week * 24 + times.dt.hour).to_numpy(np.float64)
    is_bad = np.isnan(hours) & ~is_missing
    if is_bad.any():
        position = int(is_bad[codes].argmax())
        raise ColumnProblem(position, f"{show_cell(texts.iloc[position])} is not a time; write it as 2026-01-31T12:00")
    read: NDArray[np.float64] = np.where(is_missing, np.nan, hours)[codes]
    return read
