"""What all simulated users have in common: a number, an order of the rows, and a check of every answer.

Importing Locust makes the sockets and threads of the whole process cooperative (gevent), so only the ``locust``
program imports this module.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from locust import FastHttpUser

from loadtest.answers import WrongAnswer, check_model_information
from loadtest.model_description import ModelDescription
from loadtest.payloads import Row, user_random, walk

# Few callers want the score; a quarter is enough to keep both kinds of answer under load and checked.
SCORE_SHARE = 0.25

# A caller of a service that answers in milliseconds has given up long before; Locust's own minute would let a
# service that hangs look merely idle for the length of a whole run.
REQUEST_TIMEOUT_SECONDS = 10.0

# Takes an answer, its status and its body, and raises WrongAnswer unless it is what it must be.
Check = Callable[[Any, int, bytes], None]


class CheckedUser(FastHttpUser):
    """Sends the next request as soon as the last is answered, and checks every answer.

    The loop is closed and does not wait: ``-u`` is the number of requests in flight, and the rate that Locust
    shows is what the service sustains for so many callers. With pauses it would mostly show the pauses.

    It is a ``FastHttpUser`` because that took 0.11 ms of CPU for a request where ``HttpUser`` took 0.39 ms
    (Locust 2.47, five users, mean of two runs of eight seconds, a server that answers at once), and what
    Locust takes on a shared machine is missing from the service.
    """

    abstract = True
    network_timeout = REQUEST_TIMEOUT_SECONDS
    connection_timeout = REQUEST_TIMEOUT_SECONDS

    # Set once for all users when a run begins, by the locustfile, which knows the command line.
    rows: ClassVar[list[Row]] = []
    drifted_rows: ClassVar[list[Row]] = []
    model: ClassVar[ModelDescription | None] = None
    seed: ClassVar[int] = 0
    user_numbers: ClassVar[Iterator[int]] = itertools.count()

    # Whether requests cannot be made without the model's description.
    needs_model: ClassVar[bool] = False

    def on_start(self) -> None:
        """Take a number, and with it an order of the rows and of everything else that is drawn."""
        runner = self.environment.runner
        worker = runner.worker_index if runner is not None else 0
        self.random = user_random(self.seed, worker, next(CheckedUser.user_numbers))
        self.steps = walk(self.choose_rows(), self.random)

    def choose_rows(self) -> list[Row]:
        """Say which rows this user walks through."""
        return self.rows

    def draw_score_wish(self) -> bool:
        """Decide whether the next request asks for the score."""
        return self.random.random() < SCORE_SHARE

    def send(self, check: Check, method: str, path: str, **request: Any) -> bytes | None:
        """Send a request and check its answer.

        Parameters
        ----------
        check
            Judges the answer.
        method, path, request
            As Locust's clients take them.

        Returns
        -------
        The body of a right answer, else None; Locust has counted the failure.
        """
        with self.client.request(method, path, catch_response=True, **request) as response:
            if response.status_code == 0:
                return None  # No answer came; Locust counts the failure with the network's own words.
            body = response.content or b""
            try:
                check(response, response.status_code, body)
            except WrongAnswer as wrong:
                response.failure(str(wrong))
                return None
            # A refusal that was asked for is a success, whatever its status.
            response.success()
            return body

    def ask_for_model_information(self) -> None:
        """Ask which model has answered."""
        self.send(lambda _, status, body: check_model_information(status, body), "GET", "/model_information")
