"""Checks the encoding of a manifest: that its steps are known, and make the forest's features of the columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.model.schema import BOOLEAN, CATEGORY, FREQUENCY, IDENTITY, MAX_FEATURES, NUMBER, ONE_HOT, TRANSFORM
from app.model.transforms import NULLABLE, OF_ONE_COLUMN, OPERATIONS, TABLE

# A bin or a known value for each; a quantile transformer has 1,000 by default, and at most as many as it saw rows.
_MAX_LIST = 100_000


def check_encoding(manifest: Mapping[str, Any]) -> None:
    """Check the encoding of a manifest whose columns and features were checked.

    Raises
    ------
    ValueError
        If a step is unknown or wrong; the message names it.

    Examples
    --------
    >>> check_encoding({"columns": [], "features": [], "encoding": [{"step": "hash"}]})
    Traceback (most recent call last):
    ValueError: encoding has the step 'hash', which this release does not know: update it
    """
    steps: Any = manifest.get("encoding")
    _require(isinstance(steps, list) and all(isinstance(step, dict) for step in steps), "encoding must be a list")
    columns = {column["name"]: column for column in manifest["columns"]}
    used: list[Any] = []
    n_features = 0
    for step in steps:
        kind = step.get("step")
        checks = {IDENTITY: _count_plain, ONE_HOT: _count_one_hot, FREQUENCY: _count_one, TRANSFORM: _count_made}
        is_known = isinstance(kind, str) and kind in checks
        _require(is_known, f"encoding has the step {kind!r}, which this release does not know: update it")
        n_features += checks[kind](step, columns)
        used += step["columns"] if kind == IDENTITY else [step["column"]]
    if any(step["step"] == TRANSFORM for step in steps):
        # A pipeline may use a column twice, and in any order.
        _require(set(used) == set(columns), "encoding must use each of the columns")
        _require(
            n_features <= MAX_FEATURES, f"encoding makes {n_features} features, at most {MAX_FEATURES} are possible"
        )
    else:
        _require(used == list(columns), "encoding must use each of the columns once, in their order")
    features = manifest["features"]
    _require(n_features == len(features), f"encoding makes {n_features} features, but there are {len(features)}")
    names = [feature["name"] for feature in features]
    is_plain = all(step["step"] == IDENTITY for step in steps)
    _require(not is_plain or names == used, "features must have the names of the columns, in their order")


def _count_plain(step: Mapping[str, Any], columns: Mapping[str, Any]) -> int:
    """Check columns that are features as they are, and return how many."""
    names: Any = step.get("columns")
    _require(isinstance(names, list), "encoding: the step identity must have a list of columns")
    are_numbers = all(
        isinstance(name, str) and columns.get(name, {}).get("kind") in (NUMBER, BOOLEAN) for name in names
    )
    _require(are_numbers, "encoding: the step identity takes numbers and booleans")
    return len(names)


def _count_one(step: Mapping[str, Any], columns: Mapping[str, Any]) -> int:
    """Check a step that takes a category."""
    name = step.get("column")
    is_category = isinstance(name, str) and columns.get(name, {}).get("kind") == CATEGORY
    _require(is_category, f"encoding: the step {step['step']} must have a column that is a category")
    return 1


def _count_one_hot(step: Mapping[str, Any], columns: Mapping[str, Any]) -> int:
    """Check a step that makes a feature of each level, and return how many it makes."""
    _count_one(step, columns)
    column = columns[step["column"]]
    own: Any = step.get("levels")
    has_rest: Any = step.get("infrequent")
    known = {level["level"] for level in column["levels"]}
    are_levels = isinstance(own, list) and all(isinstance(level, str) for level in own)
    _require(are_levels and 1 <= len(own) == len(set(own)), "encoding: the step one_hot must have different levels")
    _require(set(own) <= known, f"encoding: {column['name']} must have the levels of the step one_hot")
    is_right = type(has_rest) is bool and has_rest == (len(own) < len(known))
    _require(is_right, "encoding: infrequent must be true if levels have no feature of their own, else false")
    return len(own) + int(has_rest)


def _count_made(step: Mapping[str, Any], columns: Mapping[str, Any]) -> int:
    """Check a step with operations, and return how many features it makes."""
    name, operations, made = (step.get(key) for key in ("column", "operations", "features"))
    where = f"encoding: the step {TRANSFORM} of {name!r}"
    _require(isinstance(name, str) and name in columns, f"{where} must have one of the columns")
    are_names = isinstance(made, list) and len(made) >= 1 and all(isinstance(each, str) for each in made)
    _require(are_names, f"{where} must have names of features")
    assert isinstance(made, list), "checked"
    is_list = isinstance(operations, list) and all(isinstance(each, dict) for each in operations)
    _require(is_list, f"{where} must have a list of operations")
    assert isinstance(operations, list), "checked"
    *others, last = operations or [{}]
    column = columns[str(name)]
    has_table = last.get("operation") == TABLE
    # Numbers of levels have no order, and so only a table is of use.
    _require(column["kind"] == NUMBER or (has_table and not others), f"{where} must have a table and nothing else")
    _require(has_table or len(made) == 1, f"{where} must have a table, or one feature")
    for operation in others if has_table else operations:
        _check_operation(operation, where)
    if has_table:
        n_codes = len(column["levels"]) if column["kind"] != NUMBER else _count_codes(others, where)
        _check_table(last, n_codes, len(made), where)
    return len(made)


def _check_operation(operation: Mapping[str, Any], where: str) -> None:
    """Check the name and the parameters of an operation."""
    name = operation.get("operation")
    is_known = isinstance(name, str) and name in OPERATIONS
    _require(is_known, f"{where} has the operation {name!r}, which this release does not know: update it")
    parameters = OPERATIONS[str(name)][1]
    if name not in OF_ONE_COLUMN:
        are_right = all(
            _is_number(operation.get(key)) or (key in NULLABLE and operation.get(key, 0) is None) for key in parameters
        )
        _require(are_right, f"{where}: {name} must have the numbers {', '.join(parameters)}")
        _require(name != "divide" or operation["value"] != 0, f"{where}: divide must not have the value 0")
        return
    lists = [operation.get(key) for key in parameters]
    are_lists = all(isinstance(each, list) and len(each) <= _MAX_LIST and all(map(_is_number, each)) for each in lists)
    _require(are_lists, f"{where}: {name} must have lists of numbers: {', '.join(parameters)}")
    sizes = {len(each) for each in lists if isinstance(each, list)}
    # A single bin has no edge.
    is_full = len(sizes) == 1 and (name == "bin" or 0 not in sizes)
    _require(is_full, f"{where}: {name} must have lists of the same length, with at least one number")
    are_sorted = name == "match" or all(each == sorted(each) for each in lists if isinstance(each, list))
    _require(are_sorted, f"{where}: {name} must have ascending numbers")


def _count_codes(operations: list[Mapping[str, Any]], where: str) -> int:
    """Return how many codes the operations before a table make."""
    last: Mapping[str, Any] = operations[-1] if operations else {}
    match last.get("operation"):
        case "bin":
            return len(last["edges"]) + 1
        case "match":
            return len(last["values"])
    raise ValueError(f"{where} must have bin or match before its table")


def _check_table(table: Mapping[str, Any], n_codes: int, n_features: int, where: str) -> None:
    """Check that a table has a line for each code, for a new and for a missing value; null is NaN."""
    lines = table.get("values")
    every = [*lines, table.get("new"), table.get("missing")] if isinstance(lines, list) else []
    are_lines = all(
        isinstance(line, list) and len(line) == n_features and all(value is None or _is_number(value) for value in line)
        for line in every
    )
    is_right = are_lines and len(every) == n_codes + 2
    _require(
        is_right, f"{where} must have a table with {n_codes} lines, new and missing, each with {n_features} numbers"
    )


def _is_number(value: Any) -> bool:
    """Return whether a value is a number that a float64 holds."""
    if type(value) is int:
        return abs(value) < 2**63
    return type(value) is float and math.isfinite(value)


def _require(is_met: bool, what: str) -> None:
    """Refuse a manifest that does not meet a condition."""
    if not is_met:
        raise ValueError(what)
