"""Two files of numbers whose rows are to be compared."""

from __future__ import annotations

from collections.abc import Sequence

from training.data.addresses import TableFile
from training.data.columns import read_numbers
from training.data.dataset import Dataset, choose_columns
from training.data.tables import CsvFile, open_csv_file
from training.errors import BadData


def read_files_to_compare(
    reference: TableFile, current: TableFile, features: Sequence[str] | None = None, drop: Sequence[str] | None = None
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
    return _read(first, names), _read(second, names)


def _read(file: CsvFile, names: tuple[str, ...]) -> Dataset:
    """Read columns of numbers."""
    return Dataset(names, read_numbers(file, names), file.path, file.sha256, file.header)
