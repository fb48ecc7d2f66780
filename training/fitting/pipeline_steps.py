"""The scikit-learn steps that a bundle can hold, each as operations on columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from training.fitting.pipeline_columns import NEW_VALUE, MadeColumn, is_missing, is_same

Columns = list[MadeColumn]

# A step takes columns, and whether they are a sparse matrix; it returns both.
Translator = Callable[[Any, Columns, bool], tuple[Columns, bool]]

# Stands for a level that no encoder knows.
UNKNOWN_LEVEL = "a level that the pipeline was not fitted on"

_FUNCTIONS = {np.log1p: "log1p", np.log: "log", np.sqrt: "sqrt", np.abs: "abs"}


class CannotTranslate(Exception):
    """A step does what a bundle cannot hold; the message says what, and perhaps what to do."""


def _scale(columns: Columns, shift: Any, scale: Any, is_sparse: bool) -> Columns:
    """Subtract and divide, or multiply by the reciprocal as scikit-learn does with sparse matrices."""
    if shift is not None:
        columns = [column.apply("subtract", value=value) for column, value in zip(columns, shift, strict=True)]
    if scale is not None and is_sparse:
        return [column.apply("multiply", value=value) for column, value in zip(columns, 1 / scale, strict=True)]
    if scale is not None:
        return [column.apply("divide", value=value) for column, value in zip(columns, scale, strict=True)]
    return columns


def _standard(step: StandardScaler, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    shift, scale = step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None
    return _scale(columns, shift, scale, is_sparse), is_sparse


def _robust(step: RobustScaler, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    shift, scale = step.center_ if step.with_centering else None, step.scale_ if step.with_scaling else None
    return _scale(columns, shift, scale, is_sparse), is_sparse


def _max_abs(step: MaxAbsScaler, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    columns = _scale(columns, None, step.scale_, is_sparse)
    if getattr(step, "clip", False):  # newer releases
        columns = [column.apply("clip", low=-1.0, high=1.0) for column in columns]
    return columns, is_sparse


def _min_max(step: MinMaxScaler, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    scaled = [
        column.apply("multiply", value=scale).apply("add", value=shift)
        for column, scale, shift in zip(columns, step.scale_, step.min_, strict=True)
    ]
    if step.clip:
        low, high = step.feature_range
        scaled = [column.apply("clip", low=low, high=high) for column in scaled]
    return scaled, is_sparse


def _power(step: PowerTransformer, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    name = {"yeo-johnson": "yeo_johnson", "box-cox": "box_cox"}[step.method]
    columns = [column.apply(name, power=power) for column, power in zip(columns, step.lambdas_, strict=True)]
    return _standard(step._scaler, columns, is_sparse) if step.standardize else (columns, is_sparse)


def _quantile(step: QuantileTransformer, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    if step.output_distribution != "uniform":
        raise CannotTranslate(
            "its output_distribution is normal, which needs SciPy: fit it with uniform, which gives a forest the same "
            "order of values"
        )
    if is_sparse:
        raise CannotTranslate("it takes a sparse matrix: make the step before it return arrays")
    return [
        column.apply("quantile", quantiles=quantiles, shares=step.references_)
        for column, quantiles in zip(columns, step.quantiles_.T, strict=True)
    ], is_sparse


def _function(step: FunctionTransformer, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    if step.func is None:
        return columns, is_sparse
    try:
        name = _FUNCTIONS.get(step.func)
    except TypeError:  # what cannot be hashed
        name = None
    if name is None or step.kw_args:
        called = getattr(step.func, "__name__", type(step.func).__name__)
        raise CannotTranslate(f"it calls {called}: only np.log1p, np.log, np.sqrt and np.abs can be served")
    return [column.apply(name) for column in columns], is_sparse


def _impute(step: SimpleImputer, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    if is_sparse:
        raise CannotTranslate("it takes a sparse matrix: put it before the step that makes one")
    filled = [
        column.fill(step.missing_values, value)
        for column, value in zip(columns, step.statistics_, strict=True)
        if step.keep_empty_features or not is_missing(value)
    ]
    indicated = [columns[place] for place in step.indicator_.features_] if step.add_indicator else []
    return [*filled, *(_indicate(column, step.missing_values) for column in indicated)], is_sparse


def _indicate(column: MadeColumn, missing: Any) -> MadeColumn:
    """Return the column that is 1 where a value is missing, else 0."""
    name = f"{column.name}: missing"
    if column.lines is not None:
        lines = tuple(float(is_same(line, missing)) for line in column.lines)
        return MadeColumn(column.source, name, column.operations, lines, is_raw=False)
    if isinstance(missing, str):  # the first pass
        return MadeColumn(column.source, name, is_raw=False)
    number = None if is_missing(missing) else float(missing)
    operations = (*column.operations, {"operation": "is_missing", "missing": number})
    return MadeColumn(column.source, name, operations, is_raw=False)


def _bins(step: KBinsDiscretizer, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    made: Columns = []
    for column, edges, n_bins in zip(columns, step.bin_edges_, step.n_bins_, strict=True):
        binned = column.apply("bin", edges=edges[1:-1])
        if binned.lines is None:
            # Never missing: the step refuses such values.
            lines = (*map(float, range(n_bins)), np.nan, np.nan)
            binned = MadeColumn(column.source, column.name, binned.operations, lines, is_raw=False)
        if step.encode == "ordinal":
            made.append(binned)
            continue
        assert binned.lines is not None, "made above"
        for number in range(n_bins):
            lines = tuple(np.nan if is_missing(line) else float(line == number) for line in binned.lines)
            made.append(MadeColumn(column.source, f"{column.name}: bin {number}", binned.operations, lines, False))
    return made, step.encode == "onehot"


def _one_hot(step: OneHotEncoder, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    infrequent = getattr(step, "infrequent_categories_", None) or [None] * len(columns)
    dropped = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(columns)
    names = []
    for known, rare, drop in zip(step.categories_, infrequent, dropped, strict=True):
        rest = [] if rare is None else list(rare)
        left_out = None if drop is None else known[drop]
        is_rest_dropped = drop is not None and any(is_same(left_out, value) for value in rest)
        own = [
            f" = {value}"
            for place, value in enumerate(known)
            if place != drop and not any(is_same(value, other) for other in rest)
        ]
        names.append(own + ([": infrequent"] if rest and not is_rest_dropped else []))
    return _encode(step, columns, names), bool(step.sparse_output)


def _ordinal(step: OrdinalEncoder, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    return _encode(step, columns, [[""]] * len(columns)), False


def _encode(step: OneHotEncoder | OrdinalEncoder, columns: Columns, names: Sequence[Sequence[str]]) -> Columns:
    """Return the columns that an encoder makes of each column, by asking it what it makes of each line."""
    made: Columns = []
    first = 0
    for place, (column, endings) in enumerate(zip(columns, names, strict=True)):
        known = step.categories_[place]
        column.use_as_levels(known.tolist(), is_strict=step.handle_unknown == "error")
        slot = slice(first, first + len(endings))
        first += len(endings)
        coded = column
        if column.lines is None:
            if any(isinstance(value, str) for value in known.tolist()):  # the first pass
                made += [MadeColumn(column.source, column.name + ending, is_raw=False) for ending in endings]
                continue
            coded = column.to_codes(known.tolist())
        assert coded.lines is not None, "it has codes"
        answers = _ask(step, place, coded.lines, slot)
        if None in answers:
            rarest = answers[coded.rarest()]
            answers = [rarest if answer is None else answer for answer in answers]
        for number, ending in enumerate(endings):
            lines = tuple(answer[number] for answer in answers if answer is not None)
            made.append(MadeColumn(column.source, column.name + ending, coded.operations, lines, is_raw=False))
    return made


def _ask(
    step: OneHotEncoder | OrdinalEncoder, place: int, lines: Sequence[Any], slot: slice
) -> list[list[float] | None]:
    """Return what an encoder makes of values of its column ``place``; None for those that it refuses."""
    known = step.categories_[place].tolist()
    gaps = [value for value in known if is_missing(value)]
    asked: list[Any] = []
    for line in lines:
        if line is not NEW_VALUE and any(is_same(line, value) for value in known):
            asked.append(gaps[0] if is_missing(line) else line)
        else:
            asked.append(UNKNOWN_LEVEL)
    is_refused = [value is UNKNOWN_LEVEL and step.handle_unknown == "error" for value in asked]
    table = np.empty((len(lines), len(step.categories_)), object)
    for other, values in enumerate(step.categories_):
        table[:, other] = values.tolist()[0]
    table[:, place] = [known[0] if refused else value for value, refused in zip(asked, is_refused, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has column names, and that levels are unknown
        made = _as_encoder_input(step, table)
        answers = step.transform(made)
    numbers = np.asarray(answers.toarray() if hasattr(answers, "toarray") else answers, np.float64)
    return [None if refused else row for row, refused in zip(numbers[:, slot].tolist(), is_refused, strict=True)]


def _as_encoder_input(step: Any, table: Any) -> Any:
    """Return rows as the encoder takes them: with its column names, if it has any."""
    names = getattr(step, "feature_names_in_", None)
    if names is None:
        return table
    import pandas as pd

    return pd.DataFrame(table, columns=names)


TRANSLATORS: Mapping[type, Translator] = {
    StandardScaler: _standard,
    MinMaxScaler: _min_max,
    RobustScaler: _robust,
    MaxAbsScaler: _max_abs,
    SimpleImputer: _impute,
    OneHotEncoder: _one_hot,
    OrdinalEncoder: _ordinal,
    KBinsDiscretizer: _bins,
    FunctionTransformer: _function,
    PowerTransformer: _power,
    QuantileTransformer: _quantile,
}
