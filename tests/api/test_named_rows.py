"""Rows whose values are named get the answers of rows by position, and wrong names are named."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.api.service import service_of
from app.model.schema import Features
from app.web.named_rows import order_values

ROWS: list[list[float]] = [[-0.158, -0.1067], [0.56, 0.23], [66.3, 53.2]]
NAMED = [{"sd": sd, "mean": mean} for mean, sd in ROWS]


def test_named_row_gets_the_same_answer(client: FlaskClient):
    """With all options."""
    options = {"score": True, "confidence": True, "segment": "DE"}
    for row, named in zip(ROWS, NAMED, strict=True):
        by_position = client.post("/prediction", json={"feature_vector": row} | options)
        by_name = client.post("/prediction", json={"features": named} | options)

        assert (by_name.status_code, by_name.json) == (200, by_position.json)


def test_named_rows_get_the_same_answers(client: FlaskClient):
    """As JSON, and as lines."""
    expected = client.post("/predictions", json={"feature_vectors": ROWS, "score": True}).json

    assert client.post("/predictions", json={"rows": NAMED, "score": True}).json == expected
    lines = "\n".join(f'{{"features": {{"sd": {sd}, "mean": {mean}}}}}' for mean, sd in ROWS)
    answer = client.post(
        "/predictions?score=true",
        data=lines,
        content_type="application/x-ndjson",
        headers={"Accept": "application/json"},
    )
    assert answer.json == expected


def test_the_fast_path_takes_names(service):
    """A row by name is answered in the event loop like one by position."""
    headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
    answers = [
        service.fast_path.answer("POST", "/prediction", "", headers, body, "127.0.0.1")
        for body in (b'{"feature_vector": [0.5, 2]}', b'{"features": {"sd": 2, "mean": 0.5}}')
    ]

    assert answers[0].body == answers[1].body
    assert service_of(service).metrics.registry.get_sample_value("predictions_scores_count") == 2


def test_order_does_not_matter():
    """A thousand permutations of twenty columns give the same row."""
    names = tuple(f"c{number}" for number in range(20))
    features = Features(names, (0.0,) * 20, (1.0,) * 20)
    row = {name: number / 7 for number, name in enumerate(names)}
    generator = random.Random(16)
    for _ in range(1000):
        items = list(row.items())
        generator.shuffle(items)
        assert order_values(dict(items), features) == (list(row.values()), {})


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"features": {"mean": 1}}, "features.sd", "missing"),
        ({"features": {"mean": 1, "sd": 2, "id": 3}}, "features.id", "no such column"),
        ({"features": {"mean": 1, "SDs": 2, "sd": 1}}, "features.SDs", "no such column"),
        ({"features": {"mean": 1, "sds": 2}}, "features.sds", "no such column; did you mean sd?"),
        ({"features": {"mean": 1, "sd": "2"}}, "features.sd", "expected a number, got a string"),
        ({"features": {"mean": 1, "sd": None}}, "features.sd", "expected a number, got null"),
        ({"features": [1, 2]}, "features", "expected an object with mean, sd, got a list"),
        ({"features": {"mean": 1, "sd": 2}, "feature_vector": [1, 2]}, "features", "either this or feature_vector"),
    ],
)
def test_wrong_names_are_named(client: FlaskClient, body, field: str, message: str):
    """Each with its place, and unknown ones with the nearest column."""
    answer = client.post("/prediction", json=body)

    assert answer.status_code == 422
    found = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert message in found[field]


def test_wrong_rows_have_their_number(client: FlaskClient):
    """At most twenty mistakes are listed."""
    answer = client.post("/predictions", json={"rows": [*NAMED, {"mean": 1}, *[{"sd": 1}] * 30]})

    assert answer.status_code == 422
    first = answer.json["errors"][0]
    assert (first["field"], first["row"], first["message"]) == ("rows[3].sd", 3, "missing")
    assert len(answer.json["errors"]) <= 20


def test_header_of_csv_may_have_blanks_and_other_unicode_forms(make_service, credits_models: Path):
    """Spreadsheets pad names, and macOS decomposes accents."""
    client = make_service(credits_models).test_client()
    expected = client.post("/predictions", json={"feature_vectors": [[0.5, 2]]}).json

    answer = client.post(
        "/predictions", data=" sd ,mean\n2,0.5\n", content_type="text/csv", headers={"Accept": "application/json"}
    )

    assert answer.json == expected


def test_other_columns_of_csv_are_refused_unless_ignored(client: FlaskClient):
    """The message offers to leave them out."""
    body = "id,sd,mean\n7,0.23,0.56\n"
    plain = client.post("/predictions", data="mean,sd\n0.56,0.23\n", content_type="text/csv")
    refused = client.post("/predictions", data=body, content_type="text/csv")
    ignored = client.post("/predictions?ignore_extra=true", data=body, content_type="text/csv")
    incomplete = client.post("/predictions?ignore_extra=true", data="id,sd\n7,2\n", content_type="text/csv")

    assert (refused.status_code, "add ?ignore_extra=true" in refused.text) == (422, True)
    assert (ignored.status_code, ignored.text) == (200, plain.text)
    assert (incomplete.status_code, "mean: missing" in incomplete.text) == (422, True)


def test_ignore_extra_is_a_boolean_for_every_body(client: FlaskClient):
    """Also where it has no effect."""
    answer = client.post("/predictions?ignore_extra=null", json={"feature_vectors": [[0.5, 2]]})

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "ignore_extra")
