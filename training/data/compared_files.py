"""Two files whose rows are to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.model.schema import Features, Levels
from training.console import warn
from training.data.addresses import TableFile
from training.data.choices import Choices
from training.data.column_problems import choose_columns
from training.data.columns import infer_columns, read_known_columns
from training.data.dataset import Dataset
from training.data.tables import CsvFile, open_csv_file, read_fast
from training.errors import BadData

_NO_CHOICES = Choices()


def read_files_to_compare(
    reference: TableFile,
    current: TableFile,
    features: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    choices: Choices = _NO_CHOICES,
) -> tuple[Dataset, Dataset]:
    """Read two files whose rows are to be compared; either may have no rows.

    Parameters
    ----------
    reference
        A CSV file with a header; its columns are compared.
    current
        A CSV file in which they are found by name; it may have other columns too.
    features
        Columns to compare; by default all of the reference.
    drop
        Columns not to compare.
    choices
        Which columns of numbers are categories.

    Raises
    ------
    BadArgument
        If a column to compare or to drop does not exist, none or more than 256 are left.
    BadData
        If a file cannot be used, or the current one lacks a column.
    """
    first, second = open_csv_file(reference), open_csv_file(current)
    names = choose_columns(first, features, drop)
    if missing := [name for name in names if name not in second.header]:
        raise BadData(
            f"{current} has no column {missing[0]}, which {reference} has; leave it out with --drop, or name the "
            "columns to compare with --features."
        )
    return _read(first, second, names, choices)


def _read(first: CsvFile, second: CsvFile, names: tuple[str, ...], choices: Choices) -> tuple[Dataset, Dataset]:
    """Read columns of numbers, or find out what the first file holds, and read the second one alike."""
    levels: Mapping[str, Levels] = {}
    before, after = (None if choices.category else read_fast(file, names) for file in (first, second))
    if before is None or after is None:
        if first.body and second.body:
            found = infer_columns(first, names, choices)
            for name, reason in found.left_out.items():
                warn(f"column {name} is not compared: {reason.partition(';')[0]}.")
            if not found.names:
                raise BadData(f"{first.path} has no column to compare.")
            names, levels, before = found.names, found.levels, found.rows
            features = Features.of_names(names)
            if levels:
                features = replace(features, levels=tuple(levels.get(name) for name in names))
            after = read_known_columns(second, features)
        else:
            before = after = np.empty((0, len(names)))
    return (
        Dataset(names, before, first.path, first.sha256, first.header, levels=levels),
        Dataset(names, after, second.path, second.sha256, second.header, levels=levels),
    )
