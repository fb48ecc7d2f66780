"""Rows are read or rejected with one message, and every user sends them in its own order."""

from __future__ import annotations

import json
import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.payloads import batch_size, inference_request, prediction_request, predictions_request, user_random, walk
from loadtest.rows import UnusableRows, read_rows

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.integers(1, 5).flatmap(lambda width: st.lists(st.tuples(*[FINITE] * width), min_size=1, max_size=30))


def test_reads_every_row_in_the_order_of_the_file(tmp_path):
    """A file with a byte order mark, Windows line endings and blank lines is read."""
    file = tmp_path / "rows.csv"
    file.write_bytes(b"\xef\xbb\xbfmean,sd\r\n0.5,-1\r\n\r\n1e-3,2\r\n\r\n")

    assert read_rows(file) == [(0.5, -1.0), (0.001, 2.0)]


@given(rows=ROWS)
def test_numbers_survive_the_file(tmp_path_factory, rows):
    """Numbers written with repr are read unchanged, for any number of columns."""
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    header = ",".join(f"x{column}" for column in range(len(rows[0])))
    file.write_text("\n".join([header, *(",".join(map(repr, row)) for row in rows)]))

    assert read_rows(file) == rows


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        pytest.param("", ["does not start with a header"], id="empty"),
        pytest.param("\nmean,sd\n1,2\n", ["does not start with a header"], id="blank first line"),
        pytest.param("0.1,0.2\n0.3,0.4\n", ["starts with numbers", "add a header"], id="no header"),
        pytest.param("mean,sd\n", ["no rows"], id="header only"),
        pytest.param("mean,sd\n1,2\n\n3\n", ["line 4", "1 cells, but the header has 2"], id="short line"),
        pytest.param("mean,sd\n1,2,3\n", ["line 2", "3 cells, but the header has 2"], id="long line"),
        pytest.param("mean,sd\n1,2\n3,abc\n", ["line 3", "column sd", "'abc'"], id="text"),
        pytest.param("mean,sd\n,2\n", ["line 2", "column mean", "''"], id="empty cell"),
        pytest.param("mean,sd\n1,nan\n", ["line 2", "column sd", "'nan'"], id="NaN"),
        pytest.param("mean,sd\n1,1e999\n", ["line 2", "column sd", "'1e999'"], id="infinite"),
        pytest.param("mean,sd\n\xff,1\n", ["not a CSV file in UTF-8"], id="not UTF-8"),
        pytest.param(f"mean,sd\n{'1' * 200_000},1\n", ["not a CSV file"], id="cell without end"),
    ],
)
def test_an_unusable_file_is_rejected_with_the_position(tmp_path, content, parts):
    """The message names the file, and the line and column if there is one."""
    file = tmp_path / "rows.csv"
    file.write_bytes(content.encode("latin-1"))

    with pytest.raises(UnusableRows) as refused:
        read_rows(file)

    sentence = str(refused.value)
    assert "\n" not in sentence
    for part in [str(file), *parts]:
        assert part in sentence


def test_a_missing_file_is_reported_with_both_remedies(tmp_path):
    """The message says how to create the file, and how to use another one."""
    with pytest.raises(UnusableRows, match=r"test\.csv does not exist.*make data.*--rows FILE"):
        read_rows(tmp_path / "test.csv")


def test_a_folder_is_rejected(tmp_path):
    """A path that cannot be opened is rejected like any other unusable file."""
    with pytest.raises(UnusableRows, match=r"cannot be read .*--rows FILE"):
        read_rows(tmp_path)


@given(rows=ROWS, seed=st.integers())
def test_a_walk_visits_every_row_once_and_begins_again(rows, seed):
    """One round is the whole file in some order, and the next round is the same."""
    steps = walk(rows, random.Random(seed))
    first_round = list(islice(steps, len(rows)))

    assert sorted(first_round) == sorted(rows)
    assert list(islice(steps, len(rows))) == first_round


def test_a_walk_is_shuffled():
    """The rows are not sent in the file's order, in which neighbours are often alike."""
    rows = [(float(number),) for number in range(100)]

    assert list(islice(walk(rows, random.Random(7)), 100)) != rows


def test_every_user_has_its_own_reproducible_generator():
    """Seed, process and user all matter, and so does their order."""
    triples = [(seed, worker, user) for seed in (1, 11) for worker in (0, 1, 11) for user in (0, 1, 11)]
    draws = [user_random(*triple).random() for triple in triples]

    assert len(set(draws)) == len(triples)
    assert draws == [user_random(*triple).random() for triple in triples]


@given(row=st.lists(FINITE, min_size=1, max_size=5).map(tuple), with_score=st.booleans())
def test_a_request_contains_the_row_and_the_score_option(row, with_score):
    """The body is valid strict JSON."""
    body = json.loads(json.dumps(prediction_request(row, with_score), allow_nan=False))

    assert body == {"feature_vector": list(row), "score": with_score}


@given(rows=ROWS)
def test_a_batch_and_a_tensor_contain_every_row(rows):
    """Both bodies are valid strict JSON and contain the rows in order."""
    batch = json.loads(json.dumps(predictions_request(rows, with_score=True), allow_nan=False))
    [tensor] = json.loads(json.dumps(inference_request(rows), allow_nan=False))["inputs"]
    width = len(rows[0])

    assert batch == {"feature_vectors": [list(row) for row in rows], "score": True}
    assert tensor["shape"] == [len(rows), width]
    assert [tensor["data"][at : at + width] for at in range(0, len(rows) * width, width)] == list(map(list, rows))


def test_batch_sizes_are_of_every_magnitude():
    """A third of the batches has less than 10 rows, a third 100 or more, and all sizes are within the range."""
    generator = random.Random(16)
    sizes = [batch_size(generator, 1_000) for _ in range(3_000)]

    assert min(sizes) == 1
    assert 990 < max(sizes) <= 1_000
    # 3,000 draws with a probability of a third: the share is off by 0.05 for one seed in millions.
    assert abs(sum(size < 10 for size in sizes) / 3_000 - 1 / 3) < 0.05
    assert abs(sum(size >= 100 for size in sizes) / 3_000 - 1 / 3) < 0.05
    assert {batch_size(generator, 1) for _ in range(20)} == {1}
