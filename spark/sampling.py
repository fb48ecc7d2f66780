"""Draws rows of a DataFrame of Spark to train on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spark.row_keys import bits_of, hash_rows, keys_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY, _COUNT = "isowatch_key", "isowatch_count"

# Keys of one row that occurs very often are computed so many at a time: 8 MB.
_BLOCK_KEYS = 1_000_000

# Spark has no unsigned numbers: with this bit changed, signed ones have the order of the unsigned.
_SIGN = np.uint64(1 << 63)


def sample(df: DataFrame, n: int, seed: int = 0, columns: Sequence[str] | None = None) -> DataFrame:
    """Draw a uniform sample without replacement: the same rows for any order and any partitions.

    Parameters
    ----------
    df
        A DataFrame (not a streaming one) of numbers, texts and booleans.
    n
        How many rows, at least 1; all of them if there are fewer.
    seed
        From 0 to 2**64 - 1; another seed draws other rows.
    columns
        The columns to draw and keep, in this order; by default all.

    Returns
    -------
    These columns, in the order of the rows' keys.

    Raises
    ------
    ValueError
        If ``n``, ``seed`` or a column cannot be used.

    Notes
    -----
    Equal rows are counted first, which sends each distinct row over the network once.
    """
    if n < 1:
        raise ValueError(f"n is {n}; draw at least 1 row.")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; use 0 to 2**64 - 1.")
    names = list(df.columns if columns is None else columns)
    if not names or (unknown := [name for name in names if df.columns.count(name) != 1]):
        raise ValueError(f"The DataFrame has not exactly one column {unknown[0]}." if names else "Name a column.")
    from pyspark import cloudpickle
    from pyspark.sql import functions
    from pyspark.sql.types import LongType, StructType

    # The functions are sent as code: before the first training there is no pack from which executors could import them.
    for module in ("spark.sampling", "spark.row_keys"):
        cloudpickle.register_pickle_by_value(sys.modules[module])  # type: ignore[no-untyped-call, unused-ignore]

    chosen = df.select(*(functions.col(f"`{name}`") for name in names))
    counted = chosen.groupBy(*(f"`{name}`" for name in names)).agg(functions.count(functions.lit(1)).alias(_COUNT))
    schema = StructType(list(chosen.schema.fields)).add(_KEY, LongType())
    drawn = counted.mapInArrow(lambda batches: smallest_keys(batches, n, seed), schema)
    return drawn.orderBy(_KEY).limit(n).drop(_KEY)


def smallest_keys(batches: Iterator[pa.RecordBatch], n: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Return the rows with the ``n`` smallest keys, one for each key.

    Parameters
    ----------
    batches
        Of distinct rows; the last column is how often each occurs.
    n, seed
        As of :func:`sample`.

    Returns
    -------
    Batches with the keys, as ordered by Spark, instead of the counts.
    """
    kept: pa.Table | None = None
    for batch in batches:
        *columns, counts = batch.columns
        hashes = hash_rows([bits_of(column) for column in columns], seed)
        places, keys = draw_keys(hashes, counts.to_numpy(zero_copy_only=False), n)
        taken = [column.take(pa.array(places)) for column in columns]
        signed = (keys ^ _SIGN).view(np.int64)
        drawn = pa.Table.from_arrays([*taken, pa.array(signed)], [*batch.schema.names[:-1], _KEY])
        kept = drawn if kept is None else pa.concat_tables([kept, drawn])
        if kept.num_rows > n:
            smallest = np.argpartition(kept.column(_KEY).to_numpy(), n - 1)[:n]
            kept = kept.take(pa.array(smallest)).combine_chunks()
    if kept is not None:
        yield from kept.to_batches()


def draw_keys(
    hashes: NDArray[np.uint64], counts: NDArray[np.int64], n: int, first: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Draw of distinct rows, of which each counts as often as it occurs.

    Parameters
    ----------
    hashes
        Of the rows, shape ``(n_rows,)``.
    counts
        How many keys each has, same shape.
    n
        How many to draw.
    first
        The number of a row's first key.

    Returns
    -------
    Places of rows, and keys: the at most ``n`` smallest, in no order.
    """
    places, keys = np.empty(0, np.int64), np.empty(0, np.uint64)
    ends = np.cumsum(counts)
    for start in range(0, int(ends[-1]) if len(ends) else 0, _BLOCK_KEYS):
        rows = np.arange(start, min(start + _BLOCK_KEYS, int(ends[-1])))
        places_of_block = np.searchsorted(ends, rows, side="right")
        numbers = (rows - (ends - counts)[places_of_block] + first).astype(np.uint64)
        places = np.concatenate([places, places_of_block])
        keys = np.concatenate([keys, keys_of(hashes[places_of_block], numbers)])
        if len(keys) > n:
            smallest = np.argpartition(keys, n - 1)[:n]
            places, keys = places[smallest], keys[smallest]
    return places, keys
