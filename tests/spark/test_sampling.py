"""A sample is uniform, also of equal rows, and the same for any order and any partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from spark.row_keys import bits_of, hash_rows, keys_of
from spark.sampling import smallest_keys


def draw(table: pa.Table, n: int, seed: int, block: int) -> list[dict[str, Any]]:
    """Draw from distinct rows with counts, in batches of ``block`` rows."""
    drawn = pa.Table.from_batches(list(smallest_keys(iter(table.to_batches(max_chunksize=block)), n, seed)))
    return sorted(drawn.to_pylist(), key=lambda row: row["isowatch_key"])[:n]


@pytest.fixture(scope="module")
def counted() -> pa.Table:
    """Distinct rows; one is half of all, and one has no text."""
    values = np.random.default_rng(4).normal(size=1000)
    texts = [None, *(f"t{number % 7}" for number in range(999))]
    return pa.table({"x": values, "t": texts, "n": [1000, *[1] * 999]})


def test_order_and_blocks_change_nothing(counted: pa.Table):
    """Blocks are what partitions are; merging their results is what Spark's last step does."""
    expected = draw(counted, 100, 5, 1000)
    shuffled = counted.take(pa.array(np.random.default_rng(5).permutation(1000)))

    assert len(expected) == 100
    assert draw(shuffled, 100, 5, 17) == expected
    assert draw(counted, 100, 6, 1000) != expected
    assert len(draw(counted, 5000, 5, 1000)) == 1999


def test_equal_rows_are_drawn_as_often_as_they_occur(counted: pa.Table):
    """In 200 samples of 100 rows, half of the rows are copies of the one that is half of all: 50 +- 4.9 in each."""
    copies = [sum(row["t"] is None for row in draw(counted, 100, seed, 1000)) for seed in range(200)]

    # Without replacement from 1,000 copies among 1,999: hypergeometric.
    assert abs(np.mean(copies) - 50) < 4 * 4.87 / np.sqrt(200)
    assert abs(np.std(copies) - 4.87) < 4 * 4.87 / np.sqrt(2 * 200)


def test_keys_are_those_of_the_published_definition():
    """Training on one machine draws by the same keys, so it must not change: computed with whole numbers."""

    def mix(value: int) -> int:
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
        return value ^ (value >> 31)

    state = mix(9)
    for bits in (0x3FE0000000000000, 0x7FF8000000000000):
        state = mix(((state ^ bits) + 0x9E3779B97F4A7C15) % 2**64)
    expected = mix(((state ^ 3) + 0x9E3779B97F4A7C15) % 2**64)

    hashes = hash_rows([bits_of(pa.array([0.5])), bits_of(pa.array([None], pa.float64()))], 9)

    assert keys_of(hashes, np.array([3], np.uint64)).tolist() == [expected]


def test_columns_that_are_neither_numbers_nor_texts_are_refused():
    """A list has no 64 bits."""
    with pytest.raises(ValueError, match="not by list"):
        bits_of(pa.array([[1.0]]))
