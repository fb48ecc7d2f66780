"""A table of numbers to train on or to score: selected columns of a CSV file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import count_of
from app.model.encoding import Encoding, read_encoding
from app.model.schema import Features, Levels, describe_columns
from training.console import warn
from training.data.addresses import TableFile
from training.data.choices import Choices, SampleOptions
from training.data.column_problems import check_has_features, choose_columns
from training.data.columns import infer_columns, read_known_columns
from training.data.labels import Labels, read_labels
from training.data.source import GUESS, Dialect, RowOrigins, is_short_text
from training.data.synthetic import MEAN_SCALING, SD_OF_ONE_PURCHASE, SD_SCALING
from training.data.tables import CsvFile, open_csv_file, read_fast
from training.errors import BadArgument, BadData

_NO_CHOICES = Choices()

_COLUMNS = ("mean", "sd")

# Normalising whole credits and back changes them by 1e-15; real data come this close once in millions of rows.
_ROUNDING = 1e-9


def is_synthetic(data: Dataset) -> bool:
    """Return whether ``training.data.synthetic`` made rows, with any seed: a model card must not call them real.

    Customers with one purchase have a standard deviation, and paid whole credits on a scale, that are the generator's.
    """
    if data.names != _COLUMNS:
        return False
    mean, sd = data.rows.T
    of_one_purchase = sd == (SD_OF_ONE_PURCHASE - SD_SCALING[0]) / SD_SCALING[1]
    paid = mean[of_one_purchase] * MEAN_SCALING[1] + MEAN_SCALING[0]
    return bool(of_one_purchase.any() and (np.abs(paid - np.rint(paid)) < _ROUNDING).all())


MIN_TRAINING_ROWS = 2  # a single row has no neighbours to be isolated from


@dataclass(frozen=True)
class Dataset:
    """A table of numbers and its origin.

    Parameters
    ----------
    names
        Column names, 1 to 256 of them.
    rows
        Shape ``(n_rows, n_columns)``, within float32: the number of the level of a category, NaN for a missing value.
    path
        The CSV file; for recorded rows, a name for them.
    sha256
        Digest of that file, or of the recorded rows, in hexadecimal.
    columns
        All columns of that file, including those that are not features.
    labels
        True labels, if the file has them: to evaluate a forest, never to fit it.
    records
        Origin of rows that a running service recorded, as strict JSON values; None for the rows of a file.
    levels
        The levels of each category and boolean.
    choices
        What a person decided about the columns.
    steps
        The encoding, if it was not made from these rows: of an imported pipeline, or of the model that is retrained.
    times
        How each column of times is written.
    origins
        Where the rows come from, if they were drawn from a larger table, or are those of many.
    """

    names: tuple[str, ...]
    rows: NDArray[np.float64]
    path: TableFile
    sha256: str
    columns: tuple[str, ...]
    labels: Labels | None = None
    records: dict[str, Any] | None = None
    levels: Mapping[str, Levels] = field(default_factory=dict)
    choices: Choices = _NO_CHOICES
    steps: Sequence[Mapping[str, Any]] = ()
    times: Mapping[str, str] = field(default_factory=dict)
    origins: RowOrigins | None = None

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """The columns and their encoding, for the manifest."""
        made = describe_columns(
            self.names, self.rows, self.levels, self.choices.allow_missing, self.choices.max_levels, self.times
        )
        return made | {"encoding": list(self.steps)} if self.steps else made

    @cached_property
    def features(self) -> Features:
        """The columns, as a service takes them."""
        return Features.of_manifest(self.described)

    @cached_property
    def encoding(self) -> Encoding | None:
        """Makes the forest's features of the columns; None if these are the features."""
        return read_encoding(self.described) if self.levels or self.steps else None

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """The forest's features, shape ``(n_rows, n_features)``."""
        return self.rows if self.encoding is None else self.encoding.encode(self.rows).astype(np.float64)

    @property
    def matrix_names(self) -> tuple[str, ...]:
        """The names of the forest's features."""
        return self.names if self.encoding is None else self.encoding.names

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one feature's values, shape ``(n_rows,)``."""
        return self.rows[:, self.names.index(name)]


def read_training_data(
    path: TableFile,
    features: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    label: str | None = None,
    choices: Choices = _NO_CHOICES,
    dialect: Dialect = GUESS,
    sampling: SampleOptions | None = None,
) -> Dataset:
    """Read the rows to train on.

    Parameters
    ----------
    path
        A table with a header; with ``sampling`` also a folder or pattern.
    features
        Columns to use, in this order; by default all of them.
    drop
        Columns not to use.
    label
        Column of true labels, which is not a feature; the file may lack it.
    choices
        What a person decided about the columns.
    dialect
        How the file is written, as far as it is known.
    sampling
        How many rows are read of a large table; by default all.

    Raises
    ------
    BadArgument
        If a column to use or to drop does not exist, none or more than 256 are left, or the label is also a feature.
    BadData
        If the file cannot be used; the message names file, line and column.
    """
    if label in (features or ()):
        raise BadArgument(f"--features names {label}, the column of --label; a model is never trained on labels.")
    names: tuple[str, ...] = ()

    def choose(file: CsvFile) -> tuple[Sequence[str], Sequence[str]]:
        nonlocal names
        names = choose_columns(file, features, [*(drop or ()), *(name for name in file.header if name == label)])
        counted = dict.fromkeys([*(features or ()), *file.header])
        return [name for name in counted if name in (*names, label)], choices.category

    if sampling is None or is_short_text(path, sampling.max_rows):
        choose(file := open_csv_file(path, dialect))
    else:
        from training.data.sampled_table import read_sampled_file

        file = read_sampled_file(path, dialect, sampling, choose)
    dataset = _read_new(file, names, label, choices, drop or ())
    if len(dataset) < MIN_TRAINING_ROWS:
        raise BadData(f"{path} has {_count_rows(len(dataset))}; training needs at least {MIN_TRAINING_ROWS}.")
    return dataset


def read_test_data(path: TableFile, training: Dataset, label: str | None = None, dialect: Dialect = GUESS) -> Dataset:
    """Read rows to test on: the features of ``training``, found by name and in any order.

    Parameters
    ----------
    path, dialect
        As of :func:`read_training_data`.
    training
        What the model was trained on.
    label
        Column of true labels; the file may lack it, and may have it even if the training file does not.

    Raises
    ------
    BadData
        If the file cannot be used, lacks a feature, or has a column that the training file does not have.
    """
    file = open_csv_file(path, dialect)
    if unknown := [name for name in file.header if name not in (*training.columns, label)]:
        raise BadData(
            f"{path} has a column {unknown[0]} which {training.path} does not have; "
            f"test on a file with the columns {', '.join(training.columns)}."
        )
    return read_features(file, training.features, label)


def check_label(label: str | None, training: Dataset, test: Dataset | None) -> None:
    """Refuse a label column, with ``BadArgument``, that neither file has."""
    if label and training.labels is None and (test is None or test.labels is None):
        files = f"{training.path} has" if test is None else f"neither {training.path} nor {test.path} has"
        raise BadArgument(f"--label: {files} {'no' if test is None else 'a'} column {label}; name an existing column.")


def read_features(file: CsvFile, features: Features, label: str | None = None) -> Dataset:
    """Read the columns of a model from a table by name; it may have other columns too.

    Parameters
    ----------
    file
        The file.
    features
        The model's columns.
    label
        Column of true labels; the file may lack it.

    Raises
    ------
    BadArgument
        If the label is one of the features.
    BadData
        If a feature is missing, there are no rows, or a cell cannot be used.
    """
    names = features.names
    if label in names:
        raise BadArgument(
            f"--label {label} is a feature of the model; a label that the model was trained on cannot evaluate it."
        )
    check_has_features(file, features)
    rows = None if features.levels else read_fast(file, names)
    if rows is None:
        if not file.body:
            raise BadData(f"{file.path} has no rows below its header; add at least one.")
        rows = read_known_columns(file, features)
    return Dataset(names, rows, file.path, file.sha256, file.header, _read_labels(file, label))


def _read_new(
    file: CsvFile, names: tuple[str, ...], label: str | None, choices: Choices, drop: Sequence[str]
) -> Dataset:
    """Read the selected columns, whatever they hold, and the labels if there are any."""
    for option, chosen in (("--category", choices.category), ("--time-parts", choices.time_parts)):
        if unknown := [name for name in chosen if name not in names]:
            raise BadArgument(f"{option}: {file.path} has no column {unknown[0]} to train on.")
    rows = None if choices.category or choices.time_parts else _read_numbers(file, names)
    origin = (file.path, file.sha256, file.header)
    if not file.text and (rows is None or label in file.header):
        from training.data.columnar import with_text

        # Only the labels are left to be read if all else is numbers.
        file = with_text(file, [] if rows is None or label is None else [label])
    levels: Mapping[str, Levels] = {}
    times: Mapping[str, str] = {}
    if rows is None and file.body:
        read = infer_columns(file, names, choices, drop)
        names, rows, levels, times = read.names, read.rows, read.levels, read.times
        for name, reason in read.left_out.items():
            warn(f"column {name} is left out: {reason}.")
        if not names:
            raise BadData(f"{file.path} has no column to train on.")
    if rows is None:
        rows = np.empty((0, len(names)))
    labels = _read_labels(file, label)
    return Dataset(names, rows, *origin, labels, None, levels, choices, times=times, origins=file.origins)


def _read_numbers(file: CsvFile, names: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Read columns that hold nothing but numbers; None if they may hold something else."""
    if file.text:
        return read_fast(file, names)
    from training.data.block_rows import read_typed

    return read_typed(file, Features.of_names(names), as_written=False)


def _read_labels(file: CsvFile, label: str | None) -> Labels | None:
    """Read the labels, if there are any."""
    return read_labels(file, label) if label is not None and label in file.header and file.body else None


def _count_rows(n_rows: int) -> str:
    """Describe a number of rows."""
    return {0: "no rows below its header", 1: "only 1 row"}.get(n_rows, count_of(n_rows, "row"))
