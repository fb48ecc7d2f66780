"""Columns on their way through a scikit-learn pipeline: what each is made of, as operations of a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.schema import BOOLEAN, CATEGORY, NUMBER, TRANSFORM
from app.model.transforms import TABLE, apply_operation
from app.model.values import read_level

Operation = Mapping[str, Any]


class NewValue:
    """Stands for a level that training did not see."""


NEW_VALUE = NewValue()


@dataclass
class Source:
    """An input column, and what the steps of the pipeline show about it.

    Parameters
    ----------
    name
        The column.
    kind
        Number, category or boolean; found by a first pass.
    known
        The values that encoders know, in order, as they were when they were fitted.
    counts
        How many training rows have each of them; empty in the first pass.
    numbers
        The values of the training rows, of a column of numbers.
    is_number
        Whether a step takes its values as numbers.
    is_filled
        Of each use: whether missing values are filled before.
    is_strict
        Whether an encoder refuses other values than those that it knows.
    missing
        What missing values of a category are: NaN, or None.
    """

    name: str
    kind: str = NUMBER
    known: tuple[Any, ...] = ()
    counts: Sequence[int] = ()
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    is_number: bool = False
    is_filled: list[bool] = field(default_factory=list)
    is_strict: bool = False
    missing: Any = np.nan

    def know(self, values: Sequence[Any]) -> None:
        """Record values that an encoder, or an imputer, knows."""
        for value in values:
            if value is None or value == "":
                self.missing = value  # how the pipeline's table wrote it
            elif not is_missing(value) and value not in self.known:
                self.known = (*self.known, value)

    def settle(self) -> None:
        """Decide the kind: texts are categories; numbers are, too, if nothing takes them as numbers."""
        has_texts = any(isinstance(value, str) for value in self.known)
        if not self.known or (self.is_number and not has_texts):
            return
        # True equals 1: truth values are numbers after some steps.
        is_boolean = not has_texts and all(value in (0, 1) for value in self.known)
        self.kind = BOOLEAN if is_boolean else CATEGORY
        self.known = (False, True) if is_boolean else self.known

    @property
    def may_be_missing(self) -> bool:
        """Whether every use starts by filling missing values: then the pipeline says what they mean."""
        return bool(self.is_filled) and all(self.is_filled)

    @property
    def levels(self) -> tuple[str | bool, ...]:
        """The levels of a category or boolean, in the order of ``known``; empty for numbers."""
        if self.kind == BOOLEAN:
            return False, True
        if self.kind == NUMBER:
            return ()
        return tuple(str(read_level(getattr(value, "item", lambda value=value: value)())) for value in self.known)

    def lines(self) -> list[Any] | None:
        """Return what each code stands for, a new value, and a missing one; None for numbers."""
        if self.kind == NUMBER:
            return None
        return [*self.known, False if self.kind == BOOLEAN else NEW_VALUE, self.missing]

    def rarest(self) -> int:
        """Return the place of the rarest known value that training rows have."""
        counts = [count or np.inf for count in self.counts]
        return int(np.argmin(counts)) if counts else 0


@dataclass(frozen=True)
class MadeColumn:
    """A column after some steps.

    Parameters
    ----------
    source
        The input column that it is made of.
    name
        For people.
    operations
        On the numbers of the source; the last makes codes if there are lines.
    lines
        What each code stands for, a new value and a missing one; None if the column is numbers.
    is_raw
        Whether nothing but filling was done so far.
    is_filled
        Whether missing values were filled.
    """

    source: Source
    name: str
    operations: tuple[Operation, ...] = ()
    lines: tuple[Any, ...] | None = None
    is_raw: bool = True
    is_filled: bool = False

    @classmethod
    def of(cls, source: Source) -> MadeColumn:
        """Return an input column as it is."""
        lines = source.lines()
        return cls(source, source.name, lines=None if lines is None else tuple(lines))

    def apply(self, operation: str, **numbers: Any) -> MadeColumn:
        """Return the column after an operation on numbers."""
        self.use_as_number()
        made = {"operation": operation, **{key: _to_json(value) for key, value in numbers.items()}}
        if self.lines is None:
            return replace(self, operations=(*self.operations, made), is_raw=False)
        values = [np.nan if value is None or value is NEW_VALUE else value for value in self.lines]
        with np.errstate(all="ignore"):
            lines = apply_operation(made, np.array(values, np.float64))
        return replace(self, lines=tuple(lines.tolist()), is_raw=False)

    def use_as_number(self) -> None:
        """Record that the next step takes numbers."""
        if self.is_raw:
            self.source.is_number = True
            self.source.is_filled.append(self.is_filled)

    def use_as_levels(self, known: Sequence[Any], *, is_strict: bool) -> None:
        """Record that the next step takes these values, perhaps no others."""
        if self.is_raw:
            self.source.is_strict |= is_strict
            self.source.know(known)
            self.source.is_filled.append(self.is_filled)

    def fill(self, missing: Any, value: Any) -> MadeColumn:
        """Return the column with another value instead of the missing ones."""
        is_filled = self.is_filled or is_missing(missing)
        if self.is_raw:
            self.source.know([each for each in (missing, value) if isinstance(each, str) or each is missing])
        if self.lines is None and (isinstance(value, str) or isinstance(missing, str)):  # the first pass
            return replace(self, is_filled=is_filled)
        if self.lines is not None:
            lines = tuple(value if is_same(line, missing) else line for line in self.lines)
            return replace(self, lines=lines, is_filled=is_filled)
        number = {"operation": "fill", "missing": _to_json(missing), "value": _to_json(value)}
        return replace(self, operations=(*self.operations, number), is_filled=is_filled)

    def to_codes(self, values: Sequence[Any]) -> MadeColumn:
        """Return a column of numbers as codes, one for each of some values."""
        assert self.lines is None, "it has codes"
        numbers = [_to_json(value) for value in values if not is_missing(value)]
        operations = (*self.operations, {"operation": "match", "values": numbers})
        return replace(self, operations=operations, lines=(*numbers, NEW_VALUE, np.nan), is_raw=False)

    def rarest(self) -> int:
        """Return the place of the rarest value among the lines."""
        if self.source.kind != NUMBER or not self.operations:
            return self.source.rarest()
        values = self.source.numbers
        for operation in self.operations:
            values = apply_operation(operation, values)
        n_codes = len(self.lines or (0, 0)) - 2
        counts = np.bincount(values[values >= 0].astype(np.int64), minlength=n_codes)[:n_codes]
        return int(np.argmin(np.where(counts > 0, counts, np.inf)))


def is_missing(value: Any) -> bool:
    """Return whether a value is NaN, None or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def is_same(value: Any, other: Any) -> bool:
    """Return whether two values are equal; all missing ones are."""
    if is_missing(value) or is_missing(other):
        return is_missing(value) and is_missing(other)
    return bool(value == other)


def to_steps(columns: Sequence[MadeColumn]) -> list[dict[str, Any]]:
    """Return the steps of an encoding that make columns, in order; the features of one column's codes are one step."""
    steps: list[dict[str, Any]] = []
    names: set[str] = set()
    last: MadeColumn | None = None
    for column in columns:
        name, number = column.name, 1
        while name in names:
            number += 1
            name = f"{column.name} ({number})"
        names.add(name)
        if last is not None and _have_same_codes(last, column):
            steps[-1]["features"].append(name)
        else:
            operations = list(column.operations)
            if column.lines is not None:
                operations.append(
                    {"operation": TABLE, "values": [[] for _ in column.lines[:-2]], "new": [], "missing": []}
                )
            steps.append(
                {"step": TRANSFORM, "column": column.source.name, "operations": operations, "features": [name]}
            )
        if column.lines is not None:
            _add_to_table(steps[-1]["operations"][-1], column.lines)
        last = column
    return steps


def _have_same_codes(first: MadeColumn, second: MadeColumn) -> bool:
    """Return whether two columns are features of the same codes."""
    have_codes = first.lines is not None and second.lines is not None
    return have_codes and first.source is second.source and first.operations == second.operations


def _add_to_table(table: dict[str, Any], lines: tuple[Any, ...]) -> None:
    """Add a feature to a table."""
    for line, value in zip([*table["values"], table["new"], table["missing"]], lines, strict=True):
        line.append(None if is_missing(value) or value is NEW_VALUE else float(value))


def _to_json(value: Any) -> Any:
    """Return a parameter as a strict JSON value; null is NaN."""
    if isinstance(value, np.ndarray | list | tuple):
        return [float(each) for each in value]
    return None if is_missing(value) else float(value)
