"""Records as Parquet, for data frames: types and texts exactly as they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from app.errors import RecordsUnavailable
from app.records.events import Event
from app.records.export import EVENT_COLUMNS, FEATURE_PREFIX, Page, RecordPages

# Parquet compresses and describes so many rows at once.
_GROUP_ROWS = 50_000

_MICROSECONDS = 1_000_000

# What is neither text nor a number of double precision.
_MOMENTS, _WHOLE = ("answered_at", "handed_at", "labelled_at"), {"row": "int32", "is_inlier": "int8", "label": "int8"}
_DOUBLES = ("score", "confidence", "recorded_share", "audit_probability")


def require_pyarrow() -> None:
    """Refuse early where Parquet cannot be written.

    Raises
    ------
    RecordsUnavailable
        Without pyarrow.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise RecordsUnavailable(
            "Parquet needs the package pyarrow, which training has and the service has not: "
            "export with --format csv, or run this command where training runs."
        ) from None


def write_parquet(pages: RecordPages, file: Path) -> int:
    """Write all records.

    Parameters
    ----------
    pages
        The records.
    file
        To write.

    Returns
    -------
    The number of rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = [(f"{FEATURE_PREFIX}{name}", pa.float32()) for name in pages.feature_names]
    schema = pa.schema([*((name, _type_of(name)) for name in pages.column_names), *features])
    n_rows = 0
    with pq.ParquetWriter(file, schema) as writer:
        waiting: list[Any] = []
        n_waiting = 0
        for page in pages:
            waiting.append(pa.Table.from_arrays(list(_arrays(page)), schema=schema))
            n_waiting += waiting[-1].num_rows
            n_rows += waiting[-1].num_rows
            if n_waiting >= _GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting, n_waiting = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
    return n_rows


def write_events_parquet(events: Iterable[Event], file: Path) -> None:
    """Write the audit trail."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*map(astuple, events), strict=True)) or [()] * len(EVENT_COLUMNS)
    moments, *texts = columns
    arrays = [_moments(moments), *(pa.array(column, pa.string()) for column in texts)]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(EVENT_COLUMNS)), file)


def _type_of(column: str) -> Any:
    """Name the type of a column."""
    import pyarrow as pa

    if column in _MOMENTS:
        return pa.timestamp("us", tz="UTC")
    if column in _DOUBLES:
        return pa.float64()
    return getattr(pa, _WHOLE[column])() if column in _WHOLE else pa.string()


def _arrays(page: Page) -> Iterable[Any]:
    """Give the columns of a page; what is not known is null."""
    import pyarrow as pa

    for name, values in page.columns.items():
        yield _moments(values) if name in _MOMENTS else pa.array(values, _type_of(name))
    for features in page.features.values():
        yield pa.array(features, pa.float32(), from_pandas=True)  # NaN is null


def _moments(values: Iterable[float | None]) -> Any:
    """Turn seconds since 1970 into moments."""
    import pyarrow as pa

    whole = [None if value is None else round(value * _MICROSECONDS) for value in values]
    return pa.array(whole, pa.timestamp("us", tz="UTC"))
