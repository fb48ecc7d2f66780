"""The Accept header of a scrape may be anything."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from app.metrics.exposition import choose_format

_PARTS = st.sampled_from(
    [
        "application/openmetrics-text",
        "text/plain",
        ";",
        ",",
        "=",
        " ",
        "version=",
        "escaping=",
        "1.0.0",
        "2",
        "abc",
        ".",
    ]
)


@example("application/openmetrics-text;version=abc")
@given(st.lists(_PARTS | st.text(max_size=3), max_size=12).map("".join))
def test_every_accept_header_has_a_format(accept: str):
    """The encoder works, and the content type is one header."""
    registry = CollectorRegistry()
    Counter("requests", "Requests.", registry=registry)

    encode, content_type = choose_format(accept)

    assert b"requests_total 0.0" in encode(registry)
    assert content_type.startswith(("text/plain; version=", "application/openmetrics-text; version="))
