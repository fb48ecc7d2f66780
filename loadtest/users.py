"""The user classes, selectable by class name, by tag, or with the class picker of Locust's web page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from locust import tag, task

from loadtest.answers import check_prediction
from loadtest.bad_input import check_refusal, make_bad_inputs
from loadtest.batch_answers import check_inference, check_predictions
from loadtest.boundary import NoBoundary, find_boundary_rows
from loadtest.checked_user import CheckedUser
from loadtest.payloads import batch_size, inference_request, prediction_request, predictions_request, walk
from loadtest.rows import Row

# A tenth of the service's default limit, so that a batch is answered in milliseconds.
MAX_BATCH_ROWS = 1_000

# Clients of the protocol send few rows; BatchUser sends larger batches.
MAX_INFERENCE_ROWS = 32


class SearchInterrupted(Exception):
    """The search for the boundary got a wrong answer or none."""


class SingleRowUser(CheckedUser):
    """Send single rows to ``/prediction``, a quarter of them with the score; finally request the model information."""

    @tag("single")
    @task
    def predict(self) -> None:
        """Send the next row."""
        send_row(self)

    def on_stop(self) -> None:
        """Request the model information once."""
        self.request_model_information()


class BatchUser(CheckedUser):
    """Send batches of 1 to 1,000 rows to ``/predictions``."""

    @tag("batch")
    @task
    def predict(self) -> None:
        """Send the next rows."""
        rows = [next(self.steps) for _ in range(batch_size(self.random, MAX_BATCH_ROWS))]
        with_score = self.wants_score()
        self.send(
            lambda _, status, body: check_predictions(status, body, len(rows), with_score),
            "POST",
            "/predictions",
            json=predictions_request(rows, with_score),
        )


class V2User(CheckedUser):
    """Send tensors with the Open Inference Protocol, as clients of KServe, Triton and MLServer do."""

    needs_model = True

    @tag("v2")
    @task
    def infer(self) -> None:
        """Send the next rows as a tensor."""
        assert self.model is not None  # The run does not start without it.
        name = self.model.name
        rows = [next(self.steps) for _ in range(batch_size(self.random, MAX_INFERENCE_ROWS))]
        self.send(
            lambda _, status, body: check_inference(status, body, len(rows), name),
            "POST",
            f"/v2/models/{name}/infer",
            json=inference_request(rows),
        )


class BadInputUser(CheckedUser):
    """Send invalid requests: a 4xx problem document is a success, a 5xx or a 200 is a failure."""

    @tag("bad-input")
    @task
    def predict(self) -> None:
        """Send the next row with a random mistake."""
        bad = self.random.choice(make_bad_inputs(next(self.steps)))
        self.send(
            lambda answer, status, body: check_refusal(
                status, body, answer.headers.get("Content-Type", ""), bad.statuses
            ),
            "POST",
            "/prediction",
            name=f"/prediction ({bad.name})",
            data=bad.body,
            headers={"Content-Type": bad.media_type} | ({"Connection": "close"} if bad.ends_connection else {}),
        )


class DriftedUser(CheckedUser):
    """Send rows shifted by ``--drift-shift`` and scaled by ``--drift-scale``, which drift detectors must signal."""

    def choose_rows(self) -> list[Row]:
        """Return the drifted rows."""
        return self.drifted_rows

    @tag("drifted")
    @task
    def predict(self) -> None:
        """Send the next drifted row."""
        send_row(self)


class BoundaryUser(CheckedUser):
    """Send rows close to the decision boundary, found by bisection, which lower the confidence."""

    needs_model = True

    # A separate line in the table, because these requests are not part of the load.
    search_name: ClassVar[str] = "/predictions (search for the boundary)"

    has_found_boundary = False

    @tag("boundary")
    @task
    def predict(self) -> None:
        """Send the next boundary row; search for the boundary first."""
        if self.has_found_boundary:
            send_row(self)
        else:
            self.search_boundary()

    def search_boundary(self) -> None:
        """Find boundary rows and send those from now on; after a failure, the next task tries again."""
        assert self.model is not None  # The run does not start without it.
        try:
            rows = find_boundary_rows(self.rows, self.model.threshold, self.request_scores, self.random)
        except SearchInterrupted:
            return  # Already counted as a failed request.
        except NoBoundary as error:
            self.environment.events.request.fire(
                request_type="POST", name=self.search_name, response_time=0.0, response_length=0, exception=error
            )
            return
        self.steps = walk(rows, self.random)
        self.has_found_boundary = True

    def request_scores(self, rows: Sequence[Row]) -> list[float]:
        """Request the scores of rows."""
        body = self.send(
            lambda _, status, body: check_predictions(status, body, len(rows), with_score=True),
            "POST",
            "/predictions",
            name=self.search_name,
            json=predictions_request(rows, with_score=True),
        )
        if body is None:
            raise SearchInterrupted
        return list(json.loads(body)["anomaly_score"])


USERS: dict[str, type[CheckedUser]] = {
    user.__name__: user for user in (SingleRowUser, BatchUser, V2User, BadInputUser, DriftedUser, BoundaryUser)
}


def send_row(user: CheckedUser) -> None:
    """Send a user's next row to ``/prediction``."""
    with_score = user.wants_score()
    user.send(
        lambda _, status, body: check_prediction(status, body, with_score),
        "POST",
        "/prediction",
        json=prediction_request(next(user.steps), with_score),
    )
