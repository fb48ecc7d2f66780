"""Published rows are decoded unchanged, from messages of bounded size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UnreadableMessage
from app.recorder.protocol import MAX_MESSAGE_BYTES, PublishedRows
from tests.recorder.made_rows import make_scored


@given(
    n_rows=st.integers(1, 2000),
    n_features=st.sampled_from([1, 2, 40, 256]),
    request_id=st.text(max_size=128),
    version=st.text(max_size=40),
)
def test_parts_make_up_the_whole(n_rows: int, n_features: int, request_id: str, version: str):
    """Every row arrives once, in its place, and no message exceeds the limit."""
    published = PublishedRows(1.5, request_id, version, 0, make_scored(n_rows, n_features))
    messages = list(published.to_messages())
    parts = [PublishedRows.from_message(message) for message, _ in messages]

    assert max(len(message) for message, _ in messages) <= MAX_MESSAGE_BYTES
    assert [len(part.scored.rows) for part in parts] == [rows for _, rows in messages]
    assert [part.first_row for part in parts] == np.cumsum([0, *(rows for _, rows in messages)])[:-1].tolist()
    assert {(part.seconds, part.request_id, part.version) for part in parts} == {(1.5, request_id, version)}
    for field in ("rows", "scores", "labels", "confidences"):
        whole = np.concatenate([getattr(part.scored, field) for part in parts])
        np.testing.assert_array_equal(whole, getattr(published.scored, field))


@given(st.data())
def test_broken_message_is_refused(data: st.DataObject):
    """If it is truncated, or not a message at all."""
    [(message, _)] = PublishedRows(1.5, "7f3e", "v1", 0, make_scored(3)).to_messages()
    broken = data.draw(st.binary(max_size=200) | st.integers(0, len(message) - 1).map(lambda end: message[:end]))

    with pytest.raises(UnreadableMessage, match="does not hold scored rows"):
        PublishedRows.from_message(broken)


def test_arrays_that_do_not_fit_together_are_refused():
    """A row with half a feature, or labels for other rows."""
    scored = make_scored(3)
    for field in ("labels", "confidences"):
        cut = type(scored)(**vars(scored) | {field: vars(scored)[field][:2]})
        [(message, _)] = PublishedRows(1.5, "7f3e", "v1", 0, cut).to_messages()
        with pytest.raises(UnreadableMessage, match="does not hold scored rows"):
            PublishedRows.from_message(message)
