"""Exports records as Parquet, for data frames: types and texts are exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from typing import Any, TextIO

from app.errors import RecordsUnavailable
from app.records.events import Event
from app.records.export import EVENT_COLUMNS, FEATURE_PREFIX, TIMESTAMP_COLUMNS, Page, RecordPages

# Rows of a Parquet row group, which is compressed and described as one.
_GROUP_ROWS = 50_000

_MICROSECONDS = 1_000_000

# All other columns are text.
_INTEGERS = {"row": "int32", "is_inlier": "int8", "label": "int8"}
_DOUBLES = ("score", "confidence", "recorded_share", "audit_probability")


def require_pyarrow() -> None:
    """Check early that Parquet can be written.

    Raises
    ------
    RecordsUnavailable
        If pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise RecordsUnavailable(
            "Parquet needs the package pyarrow, which is installed for training but not for the service: "
            "export with --format csv, or run this command where training runs."
        ) from None


def write_parquet(pages: RecordPages, file: TextIO) -> int:
    """Write all records.

    Parameters
    ----------
    pages
        The records.
    file
        An open file, to whose ``buffer`` is written.

    Returns
    -------
    The number of rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pages.text_names
    features = [
        (f"{FEATURE_PREFIX}{name}", pa.string() if name in texts else pa.float32()) for name in pages.feature_names
    ]
    schema = pa.schema([*((name, _type_of(name)) for name in pages.column_names), *features])
    n_rows = 0
    with pq.ParquetWriter(file.buffer, schema) as writer:
        pending: list[Any] = []
        n_pending = 0
        for page in pages:
            pending.append(pa.Table.from_arrays(list(_arrays(page)), schema=schema))
            n_pending += pending[-1].num_rows
            n_rows += pending[-1].num_rows
            if n_pending >= _GROUP_ROWS:
                writer.write_table(pa.concat_tables(pending))
                pending, n_pending = [], 0
        if pending:
            writer.write_table(pa.concat_tables(pending))
    return n_rows


def write_events_parquet(events: Iterable[Event], file: TextIO) -> None:
    """Write the audit trail."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*map(astuple, events), strict=True)) or [()] * len(EVENT_COLUMNS)
    timestamps, *texts = columns
    arrays = [_timestamps(timestamps), *(pa.array(column, pa.string()) for column in texts)]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(EVENT_COLUMNS)), file.buffer)


def _type_of(column: str) -> Any:
    """Return the type of a column."""
    import pyarrow as pa

    if column in TIMESTAMP_COLUMNS:
        return pa.timestamp("us", tz="UTC")
    if column in _DOUBLES:
        return pa.float64()
    return getattr(pa, _INTEGERS[column])() if column in _INTEGERS else pa.string()


def _arrays(page: Page) -> Iterable[Any]:
    """Yield the columns of a page; unknown values are null."""
    import pyarrow as pa

    for name, values in page.columns.items():
        yield _timestamps(values) if name in TIMESTAMP_COLUMNS else pa.array(values, _type_of(name))
    for features in page.features.values():
        # NaN is null.
        yield pa.array(features, pa.string() if features.dtype == object else pa.float32(), from_pandas=True)


def _timestamps(values: Iterable[float | None]) -> Any:
    """Convert seconds since 1970 to timestamps."""
    import pyarrow as pa

    microseconds = [None if value is None else round(value * _MICROSECONDS) for value in values]
    return pa.array(microseconds, pa.timestamp("us", tz="UTC"))
