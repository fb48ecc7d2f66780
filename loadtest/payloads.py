"""Build request bodies, and choose the order in which each simulated user sends the rows.

Nothing here imports Locust, so it can be tested without starting a load test.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.rows import Row


def user_random(seed: int, worker: int, user: int) -> random.Random:
    """Create the random generator of one simulated user.

    Parameters
    ----------
    seed
        The seed of the whole run.
    worker
        Index of the Locust process, so that the processes of a distributed run send different rows.
    user
        Sequence number of the user within its process, from 0.

    Returns
    -------
    A generator that returns the same numbers in every run and on every machine.

    Examples
    --------
    >>> user_random(7, 0, 0).random() == user_random(7, 0, 0).random()
    True
    >>> user_random(7, 0, 0).random() == user_random(7, 0, 1).random()
    False
    """
    # Seeding with a string hashes all of it; with the sum of the three, some users would get the same order.
    return random.Random(f"{seed}/{worker}/{user}")


def walk(rows: Sequence[Row], generator: random.Random) -> Iterator[Row]:
    """Iterate over all rows in a random order, repeating the same order for ever.

    Parameters
    ----------
    rows
        At least one row.
    generator
        Random generator that determines the order; used at the first step only.

    Returns
    -------
    An endless iterator. No row is repeated before every other row was returned.

    Examples
    --------
    >>> steps = walk([(1.0,), (2.0,)], random.Random(7))
    >>> first, second, third = next(steps), next(steps), next(steps)
    >>> sorted([first, second]), first == third
    ([(1.0,), (2.0,)], True)
    """
    order = generator.sample(rows, len(rows))
    while True:
        yield from order


def prediction_request(row: Row, with_score: bool) -> dict[str, Any]:
    """Build the body of ``POST /prediction``.

    Parameters
    ----------
    row
        The numbers to label, in the order of the model's features.
    with_score
        Whether to request the anomaly score.

    Returns
    -------
    The body before it is serialized as JSON.

    Examples
    --------
    >>> prediction_request((0.56, 0.23), with_score=True)
    {'feature_vector': [0.56, 0.23], 'score': True}
    """
    return {"feature_vector": list(row), "score": with_score}


def predictions_request(rows: Sequence[Row], with_score: bool) -> dict[str, Any]:
    """Build the body of ``POST /predictions``, like ``prediction_request`` for several rows."""
    return {"feature_vectors": [list(row) for row in rows], "score": with_score}


def inference_request(rows: Sequence[Row]) -> dict[str, Any]:
    """Build the body of ``POST /v2/models/<name>/infer``.

    Parameters
    ----------
    rows
        At least one row.

    Returns
    -------
    One tensor of shape ``[rows, features]``, in row-major order.

    Examples
    --------
    >>> inference_request([(1.0, 2.0), (3.0, 4.0)])["inputs"][0]["data"]
    [1.0, 2.0, 3.0, 4.0]
    """
    numbers = [number for row in rows for number in row]
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": "rows", "shape": shape, "datatype": "FP64", "data": numbers}]}


def batch_size(generator: random.Random, largest: int) -> int:
    """Return a random number of rows for a batch.

    Parameters
    ----------
    generator
        Random generator.
    largest
        Maximum number of rows.

    Returns
    -------
    A number in [1, largest] with a uniform logarithm: 1 to 10 rows are as frequent as 100 to 1,000.

    Examples
    --------
    >>> sizes = [batch_size(random.Random(seed), 1_000) for seed in range(100)]
    >>> 1 <= min(sizes) < 10, 500 < max(sizes) <= 1_000
    (True, True)
    """
    return min(largest, int((largest + 1) ** generator.random()))
