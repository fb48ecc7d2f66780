"""The base class of all simulated users: a seeded random generator, an order of the rows, and checked answers.

Importing Locust monkey-patches the sockets and threads of the whole process (gevent), so only the ``locust`` program
imports this module.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from locust import FastHttpUser

from loadtest.answers import WrongAnswer, check_model_information
from loadtest.model_description import ModelDescription
from loadtest.payloads import user_random, walk
from loadtest.rows import Row

# Few callers request the score; a quarter is enough to load and check both kinds of answer.
SCORE_SHARE = 0.25

# A caller of a service that answers in milliseconds would have timed out long before. With Locust's default of a
# minute, a service that hangs would merely look idle for a whole run.
REQUEST_TIMEOUT_SECONDS = 10.0

# Takes a response, its status and its body, and raises WrongAnswer if they violate the contract.
Check = Callable[[Any, int, bytes], None]


class CheckedUser(FastHttpUser):
    """Send the next request as soon as the last one is answered, and check every answer.

    This is a closed loop without think time: ``-u`` is the number of requests in flight, and the rate that Locust
    shows is what the service sustains for so many callers. With pauses it would mostly reflect the pauses.

    ``FastHttpUser`` took 0.11 ms of CPU per request, ``HttpUser`` 0.39 ms (Locust 2.47, five users, mean of two runs of
    eight seconds, against a server that answers immediately). On a shared machine, whatever Locust uses is missing from
    the service.
    """

    abstract = True
    network_timeout = REQUEST_TIMEOUT_SECONDS
    connection_timeout = REQUEST_TIMEOUT_SECONDS

    # Set for all users at the start of a run by the locustfile, which knows the command line.
    rows: ClassVar[list[Row]] = []
    drifted_rows: ClassVar[list[Row]] = []
    model: ClassVar[ModelDescription | None] = None
    seed: ClassVar[int] = 0
    user_numbers: ClassVar[Iterator[int]] = itertools.count()

    # Whether the user cannot build requests without the model's description.
    needs_model: ClassVar[bool] = False

    def on_start(self) -> None:
        """Create this user's random generator and the order in which it sends the rows."""
        runner = self.environment.runner
        worker = runner.worker_index if runner is not None else 0
        self.random = user_random(self.seed, worker, next(CheckedUser.user_numbers))
        self.steps = walk(self.choose_rows(), self.random)

    def choose_rows(self) -> list[Row]:
        """Return the rows that this user sends."""
        return self.rows

    def wants_score(self) -> bool:
        """Return whether the next request should include the score, at random."""
        return self.random.random() < SCORE_SHARE

    def send(self, check: Check, method: str, path: str, **request: Any) -> bytes | None:
        """Send a request and check its answer.

        Parameters
        ----------
        check
            Checks the response.
        method, path, request
            As in Locust's clients.

        Returns
        -------
        The body of a correct answer; None if it was wrong or missing, which Locust counts as a failure.
        """
        with self.client.request(method, path, catch_response=True, **request) as response:
            if response.status_code == 0:
                return None  # No answer; Locust counts the failure with the network error as its message.
            body = response.content or b""
            try:
                check(response, response.status_code, body)
            except WrongAnswer as wrong:
                response.failure(str(wrong))
                return None
            # An expected rejection is a success, although Locust counts 4xx as failures by default.
            response.success()
            return body

    def request_model_information(self) -> None:
        """Request and check the model information."""
        self.send(lambda _, status, body: check_model_information(status, body), "GET", "/model_information")
