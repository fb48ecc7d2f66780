"""The users that can be chosen: by class name, by tag, or with the class picker of Locust's page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from locust import tag, task

from loadtest.answers import check_prediction
from loadtest.answers_of_many import check_inference, check_predictions
from loadtest.bad_input import check_refusal, make_bad_inputs
from loadtest.boundary import NoBoundary, find_boundary_rows
from loadtest.checked_user import CheckedUser
from loadtest.payloads import Row, batch_size, inference_request, prediction_request, predictions_request, walk

# Most rows of a batch, a tenth of what the service takes by default: a batch is then answered in milliseconds.
LARGEST_BATCH = 1_000

# Most rows of an inference request. Clients of the protocol send few rows, larger batches are BatchUser's.
LARGEST_INFERENCE = 32


class SearchInterrupted(Exception):
    """The service did not answer a question of the search for the boundary as it must."""


class SingleRowUser(CheckedUser):
    """Sends the rows to ``/prediction`` one by one, asks for the score of a quarter, and at its end for the model."""

    @tag("single")
    @task
    def predict(self) -> None:
        """Send the next row."""
        send_row(self)

    def on_stop(self) -> None:
        """Ask once which model has answered."""
        self.ask_for_model_information()


class BatchUser(CheckedUser):
    """Sends batches of 1 to 1,000 rows to ``/predictions``."""

    @tag("batch")
    @task
    def predict(self) -> None:
        """Send the next rows."""
        rows = [next(self.steps) for _ in range(batch_size(self.random, LARGEST_BATCH))]
        ask_score = self.draw_score_wish()
        self.send(
            lambda _, status, body: check_predictions(status, body, len(rows), ask_score),
            "POST",
            "/predictions",
            json=predictions_request(rows, ask_score),
        )


class V2User(CheckedUser):
    """Speaks the Open Inference Protocol, as clients of KServe, Triton and MLServer do."""

    needs_model = True

    @tag("v2")
    @task
    def infer(self) -> None:
        """Send the next rows as a tensor."""
        assert self.model is not None  # The run does not begin without it.
        name = self.model.name
        rows = [next(self.steps) for _ in range(batch_size(self.random, LARGEST_INFERENCE))]
        self.send(
            lambda _, status, body: check_inference(status, body, len(rows), name),
            "POST",
            f"/v2/models/{name}/infer",
            json=inference_request(rows),
        )


class BadInputUser(CheckedUser):
    """Sends what must be refused: a 4xx problem document is a success, a 5xx or a 200 is a failure."""

    @tag("bad-input")
    @task
    def predict(self) -> None:
        """Spoil the next row in one of many ways."""
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
    """Sends rows moved by ``--drift-shift`` and stretched by ``--drift-scale``: drift detectors must speak."""

    def choose_rows(self) -> list[Row]:
        """Walk through the moved rows."""
        return self.drifted_rows

    @tag("drifted")
    @task
    def predict(self) -> None:
        """Send the next moved row."""
        send_row(self)


class BoundaryUser(CheckedUser):
    """Sends rows close to the decision boundary, which it finds by asking for scores: confidence must fall."""

    needs_model = True

    # Apart in the table, because these questions are not the load.
    search_name: ClassVar[str] = "/predictions (search for the boundary)"

    has_found_boundary = False

    @tag("boundary")
    @task
    def predict(self) -> None:
        """Send the next row of the boundary; at first, look for it."""
        if self.has_found_boundary:
            send_row(self)
        else:
            self.look_for_boundary()

    def look_for_boundary(self) -> None:
        """Walk through rows of the boundary from now on; without success, try again as the next task."""
        assert self.model is not None  # The run does not begin without it.
        try:
            rows = find_boundary_rows(self.rows, self.model.threshold, self.ask_for_scores, self.random)
        except SearchInterrupted:
            return  # Counted where it was asked.
        except NoBoundary as error:
            self.environment.events.request.fire(
                request_type="POST", name=self.search_name, response_time=0.0, response_length=0, exception=error
            )
            return
        self.steps = walk(rows, self.random)
        self.has_found_boundary = True

    def ask_for_scores(self, rows: Sequence[Row]) -> list[float]:
        """Ask for the scores of rows."""
        body = self.send(
            lambda _, status, body: check_predictions(status, body, len(rows), asked_score=True),
            "POST",
            "/predictions",
            name=self.search_name,
            json=predictions_request(rows, ask_score=True),
        )
        if body is None:
            raise SearchInterrupted
        return list(json.loads(body)["anomaly_score"])


USERS: dict[str, type[CheckedUser]] = {
    user.__name__: user for user in (SingleRowUser, BatchUser, V2User, BadInputUser, DriftedUser, BoundaryUser)
}


def send_row(user: CheckedUser) -> None:
    """Send a user's next row to ``/prediction``."""
    ask_score = user.draw_score_wish()
    user.send(
        lambda _, status, body: check_prediction(status, body, ask_score),
        "POST",
        "/prediction",
        json=prediction_request(next(user.steps), ask_score),
    )
