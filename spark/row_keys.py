"""Keys by which a sample of rows is drawn: it does not depend on the order of rows, files or partitions.

A sample of n rows is the n with the smallest keys. A key is a hash of a seed, of the row's values and, as equal rows
would otherwise be drawn together or not at all, of the row's number among those that equal it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# Of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). BLAKE2b takes a
# microsecond a row when called from Python; this takes nanoseconds, as NumPy hashes all rows at once.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))

_MISSING = np.uint64(0x7FF8000000000000)

# Rows hashed at once: 64 KB of hashes, which stay in a core's cache.
_ROWS_AT_ONCE = 8192


def bits_of(column: pa.Array) -> NDArray[np.uint64]:
    """Return 64 bits for each value of an Arrow column: of numbers, as float64; of texts, a hash of their UTF-8.

    Raises
    ------
    ValueError
        If the column holds neither.

    Examples
    --------
    >>> [f"{bits:x}" for bits in bits_of(pa.array([1.0, -0.0, None]))]
    ['3ff0000000000000', '0', '7ff8000000000000']
    """
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type) and not pa.types.is_floating(column.type.value_type):
        digests = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in column.dictionary.to_pylist())
        table = np.array([*(int.from_bytes(digest, "little") for digest in digests), _MISSING], np.uint64)
        return np.asarray(table[column.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)])
    try:
        if pa.types.is_boolean(column.type):
            column = pc.cast(column, pa.uint8())
        numbers = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowNotImplementedError:
        raise ValueError(f"rows are drawn by numbers, texts and booleans, not by {column.type}") from None
    with np.errstate(invalid="ignore"):  # signalling NaN
        bits: NDArray[np.uint64] = (numbers + 0.0).view(np.uint64)  # adding 0 makes 0.0 of -0.0
    are_missing = np.isnan(numbers)
    if are_missing.any():
        bits[are_missing] = _MISSING
    return bits


def hash_rows(columns: Sequence[NDArray[np.uint64]], seed: int) -> NDArray[np.uint64]:
    """Hash rows; equal rows have equal hashes.

    Parameters
    ----------
    columns
        What :func:`bits_of` returned for each, shape ``(n_rows,)``; their order matters.
    seed
        From 0 to 2**64 - 1.

    Returns
    -------
    Shape ``(n_rows,)``.
    """
    start = np.array([seed], np.uint64)
    _mix(start)
    hashes = np.full(len(columns[0]), start[0])
    for begin in range(0, len(hashes), _ROWS_AT_ONCE):
        part = hashes[begin : begin + _ROWS_AT_ONCE]
        for bits in columns:
            _absorb(part, bits[begin : begin + _ROWS_AT_ONCE])
    return hashes


def keys_of(hashes: NDArray[np.uint64], numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the keys of rows.

    Parameters
    ----------
    hashes
        Of :func:`hash_rows`, shape ``(n_rows,)``.
    numbers
        Of each row among those that equal it, counted from 0, shape ``(n_rows,)`` or ``(1,)``.

    Examples
    --------
    >>> hashes = hash_rows([bits_of(pa.array([0.5, 0.5]))], seed=0)
    >>> [f"{key:x}" for key in keys_of(hashes, np.array([0, 1], np.uint64))]
    ['fdfa3daa1829d96f', 'ed49e0b0a1b0672a']
    """
    keys = hashes.copy()
    numbers = np.broadcast_to(numbers, keys.shape)
    for begin in range(0, len(keys), _ROWS_AT_ONCE):
        _absorb(keys[begin : begin + _ROWS_AT_ONCE], numbers[begin : begin + _ROWS_AT_ONCE])
    return keys


def _absorb(hashes: NDArray[np.uint64], bits: NDArray[np.uint64]) -> None:
    """Hash further bits into hashes, in place."""
    hashes ^= bits
    hashes += _STEP
    _mix(hashes)


def _mix(values: NDArray[np.uint64]) -> None:
    """Apply SplitMix64's finalizer in place: every bit of the result depends on every bit of the value."""
    shifted = values >> _SHIFTS[0]
    values ^= shifted
    values *= _FACTORS[0]
    np.right_shift(values, _SHIFTS[1], out=shifted)
    values ^= shifted
    values *= _FACTORS[1]
    np.right_shift(values, _SHIFTS[2], out=shifted)
    values ^= shifted
