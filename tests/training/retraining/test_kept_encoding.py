"""A retrained model keeps the encoding of the live one: its levels, its scales, and what may be missing."""

from __future__ import annotations

import numpy as np
import pytest

from app.model.schema import Features, describe_columns
from app.records.reading import LabelledRows, Period, RecordedPage, RecordedRows
from training.retraining.training_records import read_training_records

N_ROWS = 4000

LEVELS = tuple(f"s{number}" for number in range(30))

TABLE = {"operation": "table", "values": [[0.5]] * 30, "new": [0.5], "missing": [None]}

QUARTER = {"operation": "divide", "value": 4.0}

SCALED = [
    {"step": "transform", "column": "shop", "operations": [TABLE], "features": ["shop"]},
    {"step": "transform", "column": "amount", "operations": [QUARTER], "features": ["amount"]},
]


def to_records(rows: np.ndarray) -> RecordedRows:
    """Return rows as they are read from the database."""
    n = len(rows)
    ids = [f"{number:032x}" for number in range(n)]
    return RecordedRows(ids, [0] * n, np.zeros(n), rows.astype(np.float32), np.zeros(n, bool), np.ones(n))


@pytest.mark.parametrize("steps", ["of 30 levels", "of a pipeline"])
def test_encoding_of_the_live_model_is_kept(steps):
    """By default, a category of thirty levels would become their shares, and numbers stay as they are."""
    random = np.random.default_rng(1)
    rows = np.column_stack([random.integers(0, 30, N_ROWS), random.lognormal(size=N_ROWS)])
    described = describe_columns(("shop", "amount"), rows, {"shop": LEVELS}, allow_missing={"amount"}, max_levels=30)
    live = described if steps == "of 30 levels" else described | {"encoding": SCALED}
    nothing = to_records(rows[:0])
    labelled = LabelledRows(nothing, np.zeros(0, bool), np.zeros(0))

    data = read_training_records(
        [RecordedPage(to_records(rows), 0, 0)],
        labelled,
        Features.of_manifest(live),
        Period(0, 1),
        N_ROWS,
        exclude_outliers=False,
        steps=live["encoding"],
    ).data

    assert data.described["encoding"] == live["encoding"]
    assert data.features.can_be_missing == (False, True)
    assert data.matrix.shape[1] == (31 if steps == "of 30 levels" else 2)
    if steps == "of a pipeline":
        assert data.matrix[:, 1].tolist() == pytest.approx((data.rows[:, 1] / 4).tolist())
