"""In C, rows are hashed as in NumPy, and repeated hashes are found as by counting."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from spark.row_keys import bits_of, hash_rows, keys_of
from training.data import fast_hashes
from training.data.fast_hashes import divide_hashes, find_repeated, first_keys, hash_numbers

NAMES = ("hash_numbers", "divide_hashes", "find_copies")


@pytest.fixture(params=["compiled", "numpy"])
def kernel(request, monkeypatch):
    """Compute with the library, and without a compiler."""
    if request.param == "numpy":
        monkeypatch.setattr(fast_hashes, "load_kernel", lambda name: None)
    elif any(fast_hashes.load_kernel(name) is None for name in NAMES):
        pytest.skip("the kernel is not compiled: make kernel")


@pytest.mark.usefixtures("kernel")
def test_hashes_are_those_of_spark():
    """Of zeros of both signs, missing values with any bits, infinities, and columns that are not next to each other."""
    rows = np.random.default_rng(1).normal(size=(1000, 3))
    rows[::7, 0], rows[::5, 1], rows[1::5, 1], rows[::3, 2] = np.nan, 0.0, -0.0, -np.inf
    rows[3, 0] = np.array([0xFFF0_0000_0000_0001], np.uint64).view(np.float64)[0]

    hashes, keys = hash_numbers(list(rows.T), seed=2**64 - 1)

    expected = hash_rows([bits_of(pa.array(column)) for column in rows.T], 2**64 - 1)
    assert hashes.tolist() == expected.tolist()
    assert keys.tolist() == first_keys(hashes).tolist() == keys_of(expected, np.zeros(1000, np.uint64)).tolist()


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5000])
@pytest.mark.parametrize("largest", [0, 1, 300, 2**64 - 1])
def test_repeated_hashes_are_counted(n, largest):
    """Of few and of many different ones, among them zero."""
    hashes = np.random.default_rng(n).integers(0, largest, n, np.uint64, endpoint=True)
    if largest == 300:
        hashes = hashes << np.uint64(48)

    repeated, counts = find_repeated(hashes)

    expected = {value: count for value, count in Counter(hashes.tolist()).items() if count > 1}
    assert dict(zip(repeated.tolist(), counts.tolist(), strict=True)) == expected
    assert repeated.tolist() == sorted(expected)


@pytest.mark.usefixtures("kernel")
def test_one_hash_may_be_most_of_them():
    """Among many others."""
    hashes = np.random.default_rng(1).integers(0, 2**64 - 1, 50_000, np.uint64)
    hashes[:40_000] = 5
    assert [found.tolist() for found in find_repeated(hashes)] == [[5], [40_000]]


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("byte", [0, 6, 7])
def test_parts_hold_the_hashes_with_their_byte(byte):
    """In their order."""
    hashes = np.random.default_rng(1).integers(0, 2**64 - 1, 3000, np.uint64)

    divided, ends = divide_hashes(hashes, byte)

    bytes_of = (hashes >> np.uint64(8 * byte)) & np.uint64(255)
    expected = [hashes[bytes_of == part].tolist() for part in range(256)]
    assert [part.tolist() for part in np.split(divided, ends)][:-1] == expected
