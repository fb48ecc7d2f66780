"""``POST /predictions`` answers every row as ``/prediction`` does, in every media type."""

from __future__ import annotations

import csv
import io
import json

import joblib
import numpy as np
import pytest
from flask.testing import FlaskClient

from app.api.service import service_of
from app.errors import InvalidPredictionRequest
from app.model.schema import Features
from app.web.fields import NO_NULL
from app.web.row_formats import read_csv, to_array

ROWS: list[list[float]] = [[-0.158, -0.1067], [0.56, 0.23], [66.3, 53.2], [40.5, -0.1], [0, 0]]


@pytest.fixture
def expected(credits_models) -> dict[str, list[float]]:
    """Scikit-learn's labels and scores of the rows."""
    estimator = joblib.load(credits_models / "current" / "model.joblib")
    rows = np.array(ROWS, np.float32)
    return {"is_inlier": estimator.predict(rows).tolist(), "anomaly_score": estimator.score_samples(rows).tolist()}


def test_answers_are_those_of_scikit_learn(client: FlaskClient, expected):
    """Answers are in the order of the rows."""
    answer = client.post("/predictions", json={"feature_vectors": ROWS, "score": True})

    assert answer.json["is_inlier"] == expected["is_inlier"]
    assert answer.json["anomaly_score"] == pytest.approx(expected["anomaly_score"], abs=1e-12)
    assert answer.headers["X-Model-Version"]


@pytest.mark.parametrize("media_type", ["application/json", "text/csv"])
def test_confidences_are_those_of_single_rows(client: FlaskClient, media_type: str):
    """They are in the order of the rows, whether the body or the query requests them."""
    if media_type == "text/csv":
        body = "mean,sd\n" + "".join(f"{mean},{sd}\n" for mean, sd in ROWS)
        answer = client.post("/predictions?confidence=true", data=body, content_type=media_type)
        lines = [line.split(",") for line in answer.text.splitlines()]
        assert lines[0] == ["is_inlier", "confidence"]
        confidences = [float(line[1]) for line in lines[1:]]
    else:
        answer = client.post("/predictions", json={"feature_vectors": ROWS, "confidence": True})
        confidences = answer.json["confidence"]

    single = [client.post("/prediction", json={"feature_vector": row, "confidence": True}).json for row in ROWS]
    assert confidences == [answer["confidence"] for answer in single]


def test_scores_are_returned_only_on_request(client: FlaskClient):
    """By default, the answer has labels alone."""
    assert client.post("/predictions", json={"feature_vectors": ROWS}).json.keys() == {"is_inlier"}


def test_every_row_is_counted(client: FlaskClient):
    """A batch counts as one request and as many rows as it has."""
    client.post("/predictions", json={"feature_vectors": ROWS * 20, "score": True})
    metrics = service_of(client.application).metrics.registry

    assert metrics.get_sample_value("predictions_scores_count") == 100
    assert metrics.get_sample_value("predictions_output_count") == 100
    classes = [metrics.get_sample_value("predicted_class_total", {"class_name": c}) for c in ("inlier", "outlier")]
    assert sum(classes) == 100
    version = service_of(client.application).model.get().version
    labels = {"model_version": version, "status": "success"}
    assert metrics.get_sample_value("model_prediction_requests_total", labels) == 1


def test_csv_columns_may_have_any_order(client: FlaskClient, expected):
    """The header names the columns."""
    body = "sd,mean\r\n" + "".join(f"{sd},{mean}\r\n" for mean, sd in ROWS)
    answer = client.post("/predictions?score=true", data=body, content_type="text/csv; charset=utf-8")

    assert answer.mimetype == "text/csv"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(line["is_inlier"]) for line in lines] == expected["is_inlier"]
    scores = [float(line["anomaly_score"]) for line in lines]
    assert scores == pytest.approx(expected["anomaly_score"], abs=1e-12)


def test_ndjson_is_read_line_by_line(client: FlaskClient, expected):
    """Objects and bare lists are accepted, and each row is answered with one line."""
    lines = [json.dumps({"feature_vector": row}) for row in ROWS[:2]] + [json.dumps(row) for row in ROWS[2:]]
    answer = client.post("/predictions", data="\n".join(lines), content_type="application/x-ndjson")

    assert answer.mimetype == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"is_inlier": label} for label in expected["is_inlier"]
    ]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv", "text/csv"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("*/*", "application/json"),
        ("text/html, application/*;q=0.5", "application/json"),
        ("text/csv;q=0.9, application/json", "application/json"),
    ],
)
def test_answer_has_the_accepted_media_type(client: FlaskClient, accept: str, media_type: str):
    """Among equals, the type of the request wins."""
    answer = client.post("/predictions", json={"feature_vectors": ROWS}, headers={"Accept": accept})

    assert (answer.status_code, answer.mimetype) == (200, media_type)


@pytest.mark.parametrize(
    ("rows", "field", "message", "row"),
    [
        ([[1, 2], [1, "2"]], "feature_vectors[1][1]", "sd: expected a number, got a string", 1),
        ([[1, 2], [True, 2]], "feature_vectors[1][0]", "mean: expected a number, got a boolean", 1),
        ([[1, 2], [1]], "feature_vectors[1]", "expected 2 numbers (mean, sd), got 1", 1),
        ([[1, 2], 3], "feature_vectors[1]", "expected a list of 2 numbers, got a number", 1),
        ([[1, 2], [1, None]], "feature_vectors[1][1]", f"sd: expected a number, {NO_NULL}", 1),
        (
            [[1, 10**400], [1, 2]],
            "feature_vectors[0][1]",
            "sd: expected a number between -3.40282e+38 and 3.40282e+38",
            0,
        ),
        (
            [[-3.5e38, 1]],
            "feature_vectors[0][0]",
            "mean: expected a number between -3.40282e+38 and 3.40282e+38",
            0,
        ),
        ([], "feature_vectors", "expected a list of at least one row", None),
        ("x", "feature_vectors", "expected a list of at least one row", None),
    ],
)
def test_bad_row_is_reported(client: FlaskClient, rows: object, field: str, message: str, row: int | None):
    """The refusal has row, column and what was expected, and nothing is scored."""
    answer = client.post("/predictions", json={"feature_vectors": rows})

    assert answer.status_code == 422
    expected = {"field": field, "message": message} | ({} if row is None else {"row": row})
    assert answer.json["errors"] == [expected]
    assert "predictions_scores_count 0.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    ("body", "media_type", "status", "detail"),
    [
        ("mean\n1\n", "text/csv", 422, "expected the header mean,sd (in any order); sd: missing"),
        (
            "1,2\n3,4\n",
            "text/csv",
            422,
            "expected the header mean,sd (in any order); mean: missing",
        ),
        ("mean,sd\n1,2\n1\n", "text/csv", 422, "feature_vectors[1]: expected 2 cells, got 1"),
        ("mean,sd\n1,x\n", "text/csv", 422, "feature_vectors[0][1]: sd: expected a number, got a string"),
        ("mean,sd\n1,1_0\n", "text/csv", 422, "feature_vectors[0][1]: sd: expected a number, got a string"),
        ("mean,sd\n1,nan\n", "text/csv", 422, "feature_vectors[0][1]: sd: expected a number, got null"),
        ("mean,sd\n", "text/csv", 422, "expected at least one row"),
        (b"mean,sd\n\xff,1\n", "text/csv", 422, "not CSV in UTF-8"),
        ("[1, 2]\n[1,\n", "application/x-ndjson", 400, "Line 2 is not JSON"),
        ("[1, NaN]\n", "application/x-ndjson", 400, "Line 1 is not JSON"),
        (
            '{"row": [1, 2]}\n',
            "application/x-ndjson",
            422,
            "line 1: expected an object with feature_vector",
        ),
        ("[1, 2]\n[1]\n", "application/x-ndjson", 422, "feature_vectors[1]: expected 2 numbers (mean, sd), got 1"),
        ("", "application/x-ndjson", 422, "expected at least one row"),
        ("mean,sd\n1,2\n", "text/plain", 415, "text/csv"),
    ],
)
def test_bad_text_is_refused(client: FlaskClient, body: str | bytes, media_type: str, status: int, detail: str):
    """The refusal says where the mistake is, in every media type."""
    answer = client.post("/predictions", data=body, content_type=media_type)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert detail in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "media_type", "field", "message"),
    [
        ('{"feature_vectors": [[1, 2], [1, NaN]]}', "application/json", "feature_vectors[1][1]", "NaN is not a number"),
        ('{"feature_vectors": [[1, 2], [-Infinity, 1]]}', "application/json", "feature_vectors[1][0]", "-Infinity is"),
        ('{"feature_vectors": [[1, 2], [1, 1e400]]}', "application/json", "feature_vectors[1][1]", "expected a number"),
        (f'{{"feature_vectors": [[1, 2], [1, {"9" * 5000}]]}}', "application/json", "feature_vectors[1][1]", "between"),
        ("[1, 2]\n[1, NaN]\n", "application/x-ndjson", "feature_vectors[1][1]", "NaN is not a number"),
        ("[1, 2]\n[1, 1e400]\n", "application/x-ndjson", "feature_vectors[1][1]", "expected a number between"),
        ("[1, 2]\n[1,\n", "application/x-ndjson", "feature_vectors[1]", "not JSON"),
        ("[1, 2]\n\n[1, 2]\n", "application/x-ndjson", "feature_vectors[1]", "this line is blank"),
        ("[1, 2]\n7\n", "application/x-ndjson", "feature_vectors[1]", "expected a list of 2 numbers"),
        ('[1, 2]\n{"row": 1}\n', "application/x-ndjson", "feature_vectors[1]", "with feature_vector or features alone"),
        ("mean,sd\n1,2\n1,1e400\n", "text/csv", "feature_vectors[1][1]", "not a finite number"),
        (f"mean,sd\n1,2\n1,{'9' * 200_000}\n", "text/csv", "feature_vectors[1]", "larger than field limit"),
        ('mean,sd\n1,2\n1,"2"x\n', "text/csv", "feature_vectors[1]", "not CSV"),
        ("mean,sd\n1,2\n\n1,2\n", "text/csv", "feature_vectors[1]", "this line is blank"),
    ],
)
def test_refusal_names_field_and_row(client: FlaskClient, body: str, media_type: str, field: str, message: str):
    """Whichever decoder finds the mistake, the caller learns where it is; all of these are in the second row."""
    answer = client.post("/predictions", data=body, content_type=media_type)

    assert answer.status_code in (400, 422)
    [error] = answer.json["errors"]
    assert (error["field"], error["row"]) == (field, 1)
    assert message in error["message"]
    assert not answer.json["detail"].startswith(":")


@pytest.mark.parametrize(
    ("body", "field"),
    [(b'{"score": NaN}', "score"), (b"NaN", ""), (b'{"feature_vector": [1, 1e999]}', "feature_vector[1]")],
)
def test_unusable_number_outside_of_rows_is_named(client: FlaskClient, body: bytes, field: str):
    """Also where no row number applies; no detail begins with a colon."""
    answer = client.post("/prediction", data=body, content_type="application/json")

    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert ": :" not in answer.json["detail"]
    assert not answer.json["detail"].startswith(":")


@pytest.mark.parametrize("body", [b"a\n1\n\n2\n", b"a\n1\n2\n\n", b'a\n1\n""\n2\n'])
def test_missing_value_in_one_column_is_refused(body: bytes):
    """It is a blank line, which must neither be skipped nor shift the answers after it."""
    features = Features(("a",), (0,), (1,))
    with pytest.raises(InvalidPredictionRequest, match=r"feature_vectors\[\d\]"):
        to_array(read_csv(body, features), features)


def test_blank_lines_around_rows_are_ignored(client: FlaskClient):
    """They can be no rows: several columns have delimiters, and JSON is never blank."""
    for body, media_type in [("\nmean,sd\n1,2\n\n\n", "text/csv"), ("[1,2]\n\n \n", "application/x-ndjson")]:
        answer = client.post("/predictions", data=body, content_type=media_type)
        assert (answer.status_code, len(answer.text.split())) == (200, 1 if "json" in media_type else 2)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", json.dumps({"feature_vectors": [[1, 2]] * 10_001})),
        ("text/csv", "mean,sd\n" + "1,2\n" * 10_001),
        ("application/x-ndjson", "[1,2]\n" * 10_001),
    ],
)
def test_more_rows_than_the_limit_are_refused(client: FlaskClient, media_type: str, body: str):
    """The answer is 413 with the limit in the message; a request with exactly the limit is accepted."""
    answer = client.post("/predictions", data=body, content_type=media_type)

    assert answer.status_code == 413
    assert "10001 rows: send at most 10000" in answer.json["detail"]
    fewer = body.replace("[1, 2], ", "", 1) if media_type == "application/json" else body[: body.rindex("1,2")]
    if media_type == "application/x-ndjson":
        fewer = "[1,2]\n" * 10_000
    assert client.post("/predictions", data=fewer, content_type=media_type).status_code == 200


def test_body_may_be_longer_than_for_one_row(client: FlaskClient):
    """The limit is 8 MiB here and 1 MiB for one row."""
    rows = json.dumps({"feature_vectors": [[1.0, 2.0]] * 1000})
    accepted = client.post("/predictions", data=rows + " " * 2_000_000, content_type="application/json")
    refused = client.post("/predictions", data=rows + " " * 8_400_000, content_type="application/json")

    assert (accepted.status_code, refused.status_code) == (200, 413)
    assert "8388608 bytes" in refused.json["detail"]


def test_only_the_first_mistakes_are_reported(client: FlaskClient):
    """Ten thousand equal mistakes are one mistake in a program."""
    answer = client.post("/predictions", json={"feature_vectors": [["x", "y"]] * 1000})

    assert 20 <= len(answer.json["errors"]) <= 21


@pytest.mark.parametrize(("wish", "status"), [("true", 200), ("false", 200), ("1", 422)])
def test_query_option_is_a_boolean(client: FlaskClient, wish: str, status: int):
    """CSV and newline-delimited JSON have no place for options."""
    answer = client.post(f"/predictions?score={wish}", data="[1, 2]", content_type="application/x-ndjson")

    assert answer.status_code == status


def test_unacceptable_answer_is_refused(client: FlaskClient):
    """The answer is 406 with the media types that could be accepted."""
    answer = client.post("/predictions", json={"feature_vectors": ROWS}, headers={"Accept": "image/png"})

    assert answer.status_code == 406
    assert "text/csv" in answer.json["detail"]
