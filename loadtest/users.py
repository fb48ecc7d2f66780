"""The simulated users.

Importing Locust makes the sockets and threads of the whole process cooperative (gevent), so only the
``locust`` program imports this module.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import ClassVar

from locust import FastHttpUser, task

from loadtest.answers import WrongAnswer, check_model_information, check_prediction
from loadtest.payloads import Row, prediction_request, user_random, walk

# Few callers want the score; a quarter is enough to keep both kinds of answer under load and checked.
SCORE_SHARE = 0.25

# A caller of a service that answers in milliseconds has given up long before; Locust's own minute would let a
# service that hangs look merely idle for the length of a whole run.
REQUEST_TIMEOUT_SECONDS = 10.0


class SingleRowUser(FastHttpUser):
    """Sends the test rows to ``/prediction`` one by one, the next as soon as the last is answered.

    The loop is closed and does not wait: ``-u`` is the number of requests in flight, and the rate that Locust
    shows is what the service sustains for so many callers. With pauses it would mostly show the pauses.

    It is a ``FastHttpUser`` because that took 0.11 ms of CPU for a request where ``HttpUser`` took 0.39 ms
    (Locust 2.47, five users, mean of two runs of eight seconds, a server that answers at once), and what
    Locust takes on a shared machine is missing from the service.
    """

    network_timeout = REQUEST_TIMEOUT_SECONDS
    connection_timeout = REQUEST_TIMEOUT_SECONDS

    # Set once for all users by the locustfile, which knows the command line.
    rows: ClassVar[list[Row]] = []
    seed: ClassVar[int] = 0
    user_numbers: ClassVar[Iterator[int]] = itertools.count()

    @classmethod
    def restart_numbers(cls) -> None:
        """Number the users from 0 again, so that a second run from the web page repeats the first."""
        cls.user_numbers = itertools.count()

    def on_start(self) -> None:
        """Take a number, and with it an order of the rows and of the wishes for a score."""
        runner = self.environment.runner
        worker = runner.worker_index if runner is not None else 0
        self.random = user_random(self.seed, worker, next(self.user_numbers))
        self.steps = walk(self.rows, self.random)

    @task
    def predict(self) -> None:
        """Send the next row and check the answer."""
        ask_score = self.random.random() < SCORE_SHARE
        request = prediction_request(next(self.steps), ask_score)
        with self.client.post("/prediction", json=request, catch_response=True) as response:
            if response.status_code == 0:
                return  # No answer came; Locust counts the failure with the network's own words.
            try:
                check_prediction(response.status_code, response.content or b"", ask_score)
            except WrongAnswer as wrong:
                response.failure(str(wrong))

    def on_stop(self) -> None:
        """Ask once which model has answered."""
        with self.client.get("/model_information", catch_response=True) as response:
            if response.status_code == 0:
                return  # As in predict.
            try:
                check_model_information(response.status_code, response.content or b"")
            except WrongAnswer as wrong:
                response.failure(str(wrong))
