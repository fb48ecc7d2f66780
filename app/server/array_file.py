"""Reading ``.npz`` files from strangers: each array's type, shape and size are checked before memory is used for it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from math import prod
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

# 100 trees of 370,000 nodes each; a usual forest has 1.5 MB. `np.savez` does not compress, so a file is as large as its
# arrays, and the same limit applies to both.
MAX_BYTES = 2**30

# NumPy's own are under 200 bytes; a longer one would only keep the parser busy.
_MAX_HEADER_BYTES = 10_000

# Others decompress a whole block at once, however large it becomes.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ArrayKind(NamedTuple):
    """The expected type and number of axes of an array."""

    dtype: type[np.generic]
    n_axes: int


def read_arrays(
    file: BinaryIO,
    kinds: Mapping[str, ArrayKind],
    max_bytes: int = MAX_BYTES,
    optional: Mapping[str, ArrayKind] | None = None,
) -> dict[str, NDArray[Any]]:
    """Read arrays without unpickling; other members of the file are ignored.

    Parameters
    ----------
    file
        An open ``.npz`` file.
    kinds
        The arrays to read, by name.
    max_bytes
        The largest size of all of them together, unpacked.
    optional
        More arrays to read, of those that the file has.

    Returns
    -------
    Arrays in C order, by name.

    Raises
    ------
    ValueError, zipfile.BadZipFile and others of the parsers
        If it is not such a file, or an array is missing, of another type or shape, or too large.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, roots=np.array([0.5, np.nan]))
    >>> read_arrays(file, {"roots": ArrayKind(np.int32, 1)})
    Traceback (most recent call last):
    ValueError: roots is float64 with 1 axes, expected int32 with 1 axes
    """
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if missing := [name for name in kinds if f"{name}.npy" not in members]:
            raise ValueError(f"it has no array {missing[0]}")
        kinds = {**kinds, **{name: kind for name, kind in (optional or {}).items() if f"{name}.npy" in members}}
        wanted = {name: members[f"{name}.npy"] for name in kinds}
        if (size := sum(member.file_size for member in wanted.values())) > max_bytes:
            raise ValueError(f"its arrays have {size:,} bytes, at most {max_bytes:,} are read")
        for name, member in wanted.items():
            if member.compress_type not in _COMPRESSIONS:
                raise ValueError(f"{name} is compressed by method {member.compress_type}; write it with np.savez")
            with archive.open(member) as opened:
                arrays[name] = _read_array(name, opened, member.file_size, kinds[name])
    return arrays


def _read_array(name: str, opened: IO[bytes], size: int, kind: ArrayKind) -> NDArray[Any]:
    """Read one array of a file; ``size`` is that of its header and content together."""
    version = npy_format.read_magic(opened)
    if version != (1, 0):
        raise ValueError(f"{name} has version {version} of NumPy's format, expected (1, 0)")
    shape, is_fortran, dtype = npy_format.read_array_header_1_0(opened, _MAX_HEADER_BYTES)
    if dtype != np.dtype(kind.dtype) or len(shape) != kind.n_axes:
        raise ValueError(
            f"{name} is {dtype} with {len(shape)} axes, expected {np.dtype(kind.dtype)} with {kind.n_axes} axes"
        )
    n_bytes = prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes > size:
        raise ValueError(f"{name} has the shape {shape}, but only {size:,} bytes")
    # One more than expected, so that a longer array is noticed.
    content = opened.read(n_bytes + 1)
    if len(content) != n_bytes:
        raise ValueError(f"{name} has the shape {shape}, but not the bytes for it")
    array = np.frombuffer(content, dtype)
    return np.ascontiguousarray(array.reshape(shape, order="F" if is_fortran else "C")).reshape(shape)
