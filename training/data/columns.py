"""Read columns of a table that are not all plain numbers: missing values, categories, booleans, times and ids.

All columns are judged before any is refused, so that one message names all problems and how to go on.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.model.schema import LARGEST_NUMBER, MAX_LEVELS, MAX_ONE_HOT_LEVELS, NEW_LEVEL, Features, Levels
from app.model.times import HOURS
from app.model.values import MISSING_TEXTS, read_boolean, read_level
from training.data.choices import Choices
from training.data.column_problems import ColumnProblem, describe_problems, join_names, show_cell
from training.data.column_times import are_times, infer_times, read_times
from training.data.tables import CsvFile, is_number, read_fast
from training.errors import BadData

# A text column of which more of the rows differ is a name or an id, from which nothing can be learned.
_SHARE_OF_IDS = 0.5

# If at least so many of the values are numbers, the others are mistakes; if fewer, the column is a category.
_SHARE_OF_NUMBERS = 0.5


@dataclass(frozen=True)
class ReadColumns:
    """Columns as numbers.

    Parameters
    ----------
    names
        Those that can be used, in the requested order.
    rows
        Shape ``(n_rows, len(names))``: NaN for a missing value, the number of a level for a category or boolean.
    levels
        The levels of each category and boolean.
    left_out
        By column: why it is of no use.
    times
        How each column of times is written.
    """

    names: tuple[str, ...]
    rows: NDArray[np.float64]
    levels: dict[str, Levels] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)


class _LeftOut(Exception):
    """A column is of no use."""


def infer_columns(file: CsvFile, names: Sequence[str], choices: Choices, drop: Sequence[str] = ()) -> ReadColumns:
    """Read training columns, and find out what each holds.

    Parameters
    ----------
    file
        The file.
    names
        The columns.
    choices
        What a person decided.
    drop
        What is left out already, for the advice in the message.

    Raises
    ------
    BadData
        If columns have cells that cannot be used; the message names all of these columns.
    """
    texts = read_texts(file, names)
    read: dict[str, NDArray[np.float64]] = {}
    levels: dict[str, Levels] = {}
    left_out: dict[str, str] = {}
    times: dict[str, str] = {}
    problems: dict[str, ColumnProblem] = {}
    for name in names:
        try:
            if name in choices.time_parts:
                read[name], times[name] = infer_times(texts[name])
                levels[name] = HOURS
                continue
            read[name], found = _infer(texts[name], file, is_category=name in choices.category)
            if found:
                levels[name] = found
        except _LeftOut as reason:
            left_out[name] = str(reason)
        except ColumnProblem as problem:
            problems[name] = problem
    if problems:
        raise BadData(describe_problems(file, problems, [*drop, *problems]))
    rows = np.column_stack(list(read.values())) if read else np.empty((len(texts), 0))
    return ReadColumns(tuple(read), rows, levels, left_out, times)


def read_known_columns(file: CsvFile, features: Features) -> NDArray[np.float64]:
    """Read the columns of a model by its levels, shape ``(n_rows, n_columns)``.

    Raises
    ------
    BadData
        If a value is missing in a column that has all of them in training, or cannot be used.
    """
    texts = read_texts(file, features.names)
    read, problems = [], {}
    for place, name in enumerate(features.names):
        try:
            read.append(read_known_column(texts[name], file, features, place))
        except ColumnProblem as problem:
            problems[name] = problem
    if problems:
        raise BadData(describe_problems(file, problems, []))
    return np.column_stack(read)


def read_known_column(texts: pd.Series[str], file: CsvFile, features: Features, place: int) -> NDArray[np.float64]:
    """Read the column of a model that has a place among its features; refuse the first bad cell with ColumnProblem."""
    form = features.times[place] if features.times else None
    levels = features.levels[place] if features.levels else None
    values = read_times(texts, form) if form else _code(texts, file, levels)
    if not features.may_be_missing(place) and np.isnan(values).any():
        raise ColumnProblem(
            int(np.isnan(values).argmax()),
            "the cell is empty, and training had no row without a value; fill it, remove the line, or train "
            "with --allow-missing",
        )
    return values


def read_numbers(file: CsvFile, names: Sequence[str]) -> NDArray[np.float64]:
    """Read columns as finite numbers, none missing; their cells are read one by one if pandas cannot.

    Returns
    -------
    Shape ``(n_rows, len(names))``, finite, within float32; possibly no rows.

    Raises
    ------
    BadData
        If a cell is empty, not a number, not finite or beyond float32, or a line has too many or too few
        cells. The message names file, line and column.
    """
    if (rows := read_fast(file, names)) is not None:
        return rows
    texts = read_texts(file, names)
    read = []
    for name in names:
        try:
            read.append(_to_numbers(texts[name], file, may_be_missing=False))
        except ColumnProblem as problem:
            raise BadData(describe_problems(file, {name: problem}, [name])) from None
    return np.column_stack(read)


def read_texts(file: CsvFile, names: Sequence[str]) -> pd.DataFrame:
    """Read cells as texts without blanks around them; lines of another width are refused."""
    if not has_plain_lines(file):
        records = [cells for _, cells in file.records()]
        table = pd.DataFrame(records, columns=list(file.header), dtype=object)
    else:
        table = pd.read_csv(
            io.BytesIO(file.body),
            header=None,
            names=list(file.header),
            usecols=list(names),
            dtype=object,
            keep_default_na=False,
            na_filter=False,
            sep=file.dialect.separator,
            index_col=False,
            skip_blank_lines=False,
        )
    return pd.DataFrame({name: table[name].astype(str).str.strip() for name in names}, index=table.index)


def has_plain_lines(file: CsvFile) -> bool:
    """Return whether each line is a record with as many cells as the header, so that pandas reads it right."""
    body = file.body
    if len(file.header) == 1 or b'"' in body or b"\r" in body.replace(b"\r\n", b""):
        return False
    characters = np.frombuffer(body, np.uint8)
    ends = np.append(np.flatnonzero(characters == ord("\n")), len(characters))
    before = np.searchsorted(np.flatnonzero(characters == ord(file.dialect.separator)), ends)
    return bool((np.diff(before, prepend=0) == len(file.header) - 1).all())


def _infer(texts: pd.Series[str], file: CsvFile, *, is_category: bool) -> tuple[NDArray[np.float64], Levels | None]:
    """Return a column's values and its levels, if it has any."""
    codes, found = pd.factorize(texts)
    uniques = pd.Series(found, dtype=object)
    is_missing = uniques.str.lower().isin(MISSING_TEXTS).to_numpy()
    counts = np.bincount(codes, minlength=len(uniques))
    n_present = counts[~is_missing].sum()
    if not n_present:
        raise _LeftOut("it has no values")
    if not is_category:
        are_numbers = np.array([is_number(text) for text in to_plain_numbers(uniques, file)], bool) & ~is_missing
        are_booleans = all(read_boolean(text) is not None for text in uniques[~is_missing])
        if are_booleans and not are_numbers[~is_missing].all():
            return _code(texts, file, (False, True)), (False, True)
        if counts[are_numbers].sum() >= _SHARE_OF_NUMBERS * n_present:
            return _to_numbers(texts, file, may_be_missing=True), None
        if are_times(uniques[~is_missing]):
            raise _LeftOut(
                "it holds times; to use their hour of day and day of week, add "
                f"--time-parts {join_names([str(texts.name)])}"
            )
        if len(uniques) > max(MAX_ONE_HOT_LEVELS, _SHARE_OF_IDS * n_present):
            raise _LeftOut(f"{len(uniques):,} of its texts differ, like ids; --category keeps it")
    # The most frequent first, so that their numbers are small.
    order = np.argsort(-counts, kind="stable")
    levels = tuple(uniques[place] for place in order if uniques[place])
    if len(levels) > MAX_LEVELS:
        raise _LeftOut(f"it has {len(levels):,} levels, more than {MAX_LEVELS:,}")
    return _code(texts, file, levels), levels


def _code(texts: pd.Series[str], file: CsvFile, levels: Levels | None) -> NDArray[np.float64]:
    """Return the numbers that stand for texts; NaN for missing values."""
    if levels is None:
        return _to_numbers(texts, file, may_be_missing=True)
    codes, uniques = pd.factorize(texts)
    if type(levels[0]) is bool:
        read = [np.nan if text.lower() in MISSING_TEXTS else read_boolean(text) for text in uniques]
        for place, value in enumerate(read):
            if value is None:
                position = int((codes == place).argmax())
                raise ColumnProblem(position, f"{show_cell(uniques[place])} is not true or false, yes or no, 1 or 0")
    else:
        numbers = {level: float(number) for number, level in enumerate(levels)}
        read = [_find_level(text, numbers) if text else np.nan for text in uniques]
    values: NDArray[np.float64] = np.array(read, np.float64)[codes]
    return values


def _find_level(text: str, numbers: Mapping[str | bool, float]) -> float:
    """Return the number of a level; a number may be written in another way, such as 8001.0."""
    if text not in numbers and is_number(text):
        text = str(read_level(float(text)))
    return numbers.get(text, NEW_LEVEL)


def to_plain_numbers(texts: pd.Series[str], file: CsvFile) -> pd.Series[str]:
    """Return the texts of numbers with a decimal point and without thousands separators."""
    decimal = file.dialect.decimal
    thousands = file.dialect.thousands or ("." if decimal == "," else "")
    if thousands:
        # Only between groups of three digits, so that 31.12.2026 stays a date.
        grouped = texts.str.fullmatch(rf"[+-]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+({re.escape(decimal)}\d*)?")
        texts = texts.where(~grouped, texts.str.replace(thousands, "", regex=False))
    return texts.str.replace(decimal, ".", regex=False) if decimal != "." else texts


def _to_numbers(texts: pd.Series[str], file: CsvFile, *, may_be_missing: bool) -> NDArray[np.float64]:
    """Return finite numbers within float32."""
    plain = to_plain_numbers(texts, file)
    is_missing = (texts.str.lower().isin(MISSING_TEXTS) if may_be_missing else texts == "").to_numpy()
    if is_missing.any() and not may_be_missing:
        raise ColumnProblem(
            int(is_missing.argmax()), "the cell is empty; fill it, remove the line, or leave the column out"
        )
    are_numbers = plain.map(is_number).to_numpy(bool) | is_missing
    if not are_numbers.all():
        position = int((~are_numbers).argmax())
        reason = f"{show_cell(texts[position])} is not a number; correct it, or leave the column out"
        if (n_bad := int((~are_numbers).sum())) > 1:
            reason = reason.replace("; correct it", f", like {n_bad - 1:,} more; correct them")
        raise ColumnProblem(position, reason, repeats_header=texts[position] == texts.name)
    numbers: NDArray[np.float64] = plain.where(~is_missing, "nan").astype(float).to_numpy()
    for are_bad, what in (
        (np.isinf(numbers), "is not a finite number; correct it or remove the line"),
        (np.abs(numbers) > LARGEST_NUMBER, "is beyond what float32 holds (3.4e38); scale the column down"),
        (np.isnan(numbers) & ~is_missing, "is not a finite number; correct it or remove the line"),
    ):
        if are_bad.any():
            position = int(are_bad.argmax())
            raise ColumnProblem(position, f"{show_cell(texts[position])} {what}")
    return numbers
