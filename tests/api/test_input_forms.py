"""Requests in the forms that clients really send are answered, or refused for the reason that applies."""

from __future__ import annotations

import codecs
import gzip
import json

import pytest
from backports import zstd
from flask.testing import FlaskClient

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"

ROW = {"feature_vector": [0.56, 0.23]}
ROWS = {"feature_vectors": [[0.56, 0.23]]}
INPUTS = {"inputs": [{"name": "rows", "datatype": "FP64", "shape": [1, 2], "data": [0.56, 0.23]}]}
LABEL = {"request_id": "none", "is_inlier": 1}
INFER = "/v2/models/isowatch/infer"

# Every route that reads a body, with every media type.
BODIES = [
    ("/prediction", JSON, json.dumps(ROW)),
    ("/predictions", JSON, json.dumps(ROWS)),
    ("/predictions", CSV, "mean,sd\n0.56,0.23\n"),
    ("/predictions", NDJSON, "[0.56, 0.23]\n"),
    (INFER, JSON, json.dumps(INPUTS)),
    ("/feedback", JSON, json.dumps(LABEL)),
    ("/audit/next", JSON, '{"n": 1}'),
]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json;charset=utf-8", JSON),
        ("application/json; charset=UTF-8; q=0.5, text/csv;q=0.4", JSON),
        ("text/csv; header=present", CSV),
        ("TEXT/CSV", CSV),
        ("text/*", CSV),
        ("application/*;q=0.1, text/csv;q=0.2", CSV),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("*/*;q=0.8, application/json;q=0", CSV),
        ("application/json;q=nonsense", JSON),
        ("", JSON),
        (" , ", JSON),
    ],
)
def test_accept_is_read_as_rfc_9110_says(client: FlaskClient, accept: str, expected: str):
    """Parameters, weights and wildcards count, and the most precise range decides."""
    answer = client.post("/predictions", json=ROWS, headers={"Accept": accept})

    assert (answer.status_code, answer.mimetype) == (200, expected)


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "*/*;q=0", "text/html"])
def test_nothing_acceptable_is_refused(client: FlaskClient, accept: str):
    """A caller that accepts nothing we have gets 406 and a list of what it could accept."""
    answer = client.post("/predictions", json=ROWS, headers={"Accept": accept})

    assert (answer.status_code, CSV in answer.json["detail"]) == (406, True)


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "x-unknown"])
@pytest.mark.parametrize(("path", "media_type", "body"), BODIES)
def test_unknown_coding_is_refused(client: FlaskClient, path: str, media_type: str, body: str, coding: str):
    """On every route the reason is the compression, not that the bytes are not JSON."""
    headers = {"Content-Encoding": coding}
    answer = client.post(path, data=gzip.compress(body.encode()), content_type=media_type, headers=headers)

    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip, zstd")
    assert coding in answer.text


@pytest.mark.parametrize("coding", ["gzip", "zstd", "X-GZIP", "identity, gzip"])
@pytest.mark.parametrize(("path", "media_type", "body"), BODIES)
def test_compressed_body_is_read(client: FlaskClient, path: str, media_type: str, body: str, coding: str):
    """On every route the answer is that to the same body without compression."""
    make = zstd.compress if coding == "zstd" else gzip.compress
    headers = {"X-Request-ID": "the-same"}
    plain = client.post(path, data=body, content_type=media_type, headers=headers)
    headers["Content-Encoding"] = coding
    compressed = client.post(path, data=make(body.encode()), content_type=media_type, headers=headers)

    assert compressed.status_code == plain.status_code
    if plain.status_code == 200:  # without a database, the reason of a refusal changes with time
        assert compressed.data == plain.data


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body[:-1], "it ends early"),
        (lambda body: b"", "it ends early"),
        (lambda body: b"?" + body, "cannot be decompressed"),
        (lambda body: body + b"?" * 20, "cannot be decompressed"),
        (lambda body: 33 * body, "more than 32 compressed parts"),
    ],
)
def test_damaged_compressed_body_is_refused(client: FlaskClient, coding: str, change, reason: str):
    """Nothing of it is read as rows."""
    make = zstd.compress if coding == "zstd" else gzip.compress
    answer = client.post(
        "/prediction", data=change(make(b"   ")), content_type="application/json", headers={"Content-Encoding": coding}
    )

    assert (answer.status_code, reason in answer.json["detail"]) == (400, True), answer.text


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_body_limit_holds_after_decompression(client: FlaskClient, coding: str):
    """A kilobyte that becomes megabytes is refused, and is not decompressed beyond the limit."""
    make = zstd.compress if coding == "zstd" else gzip.compress
    answer = client.post(
        "/prediction",
        data=make(bytes(50_000_000)),
        content_type="application/json",
        headers={"Content-Encoding": coding},
    )

    assert answer.status_code == 413
    assert "The decompressed body is longer than" in answer.json["detail"]


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_uncompressed_body_may_say_so(client: FlaskClient, coding: str):
    """`identity` and an empty header mean no compression."""
    assert client.post("/prediction", json=ROW, headers={"Content-Encoding": coding}).status_code == 200


@pytest.mark.parametrize(("path", "media_type", "body"), BODIES[:5])
def test_byte_order_mark_is_ignored(client: FlaskClient, path: str, media_type: str, body: str):
    """Programs on Windows write it; the answer is the one without it."""
    marked = client.post(path, data=codecs.BOM_UTF8 + body.encode(), content_type=media_type)

    assert (marked.status_code, marked.data) == (200, client.post(path, data=body, content_type=media_type).data)


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("/prediction", ROW, "score"),
        ("/prediction", ROW, "confidence"),
        ("/prediction", ROW, "segment"),
        ("/predictions", ROWS, "feature_vectors"),
        ("/feedback", LABEL, "source"),
        (INFER, INPUTS, "segment"),
        (INFER, INPUTS, "outputs"),
    ],
)
def test_field_of_the_body_in_the_query_is_refused(client: FlaskClient, path: str, body: object, parameter: str):
    """Ignored, it would silently mean the default; parameters that mean nothing here do not matter."""
    answer = client.post(f"{path}?{parameter}=true", json=body)

    assert answer.status_code == 422
    assert f"{parameter}: this is a field of the body" in answer.text
    assert client.post(f"{path}?trace=7", json=body).status_code in (200, 503)


@pytest.mark.parametrize(("path", "media_type", "body"), BODIES)
def test_slash_at_the_end_changes_nothing(client: FlaskClient, path: str, media_type: str, body: str):
    """A redirect would make many clients repeat a POST as a GET."""
    plain = client.post(path, data=body, content_type=media_type)
    answer = client.post(f"{path}/", data=body, content_type=media_type)

    assert answer.status_code == plain.status_code
    assert plain.status_code == 503 or answer.data == plain.data
