"""One load: made ready before it begins, judged when it has ended. The locustfile calls it at Locust's events."""

from __future__ import annotations

import itertools
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from locust import LoadTestShape
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtest.checked_user import CheckedUser
from loadtest.limit_search import DEFAULT_P95_MS, STEP_TO_LIMIT
from loadtest.model_description import UnusableDescription, ask_for_model
from loadtest.options import UnusableOption, check_files, read_limits
from loadtest.pass_criteria import Verdict, judge
from loadtest.payloads import read_rows
from loadtest.recorder import Recorder
from loadtest.row_sources import DEFAULT_ROWS, choose_rows, drift_rows
from loadtest.shapes import StagedShape, StepToLimitShape
from loadtest.stages import STAGES
from loadtest.user_choice import choose_users
from loadtest.users import USERS, DriftedUser
from loadtest.verdict_files import write_json, write_junit

logger = logging.getLogger(__name__)


class LoadRun:
    """The load of one process: of a master, of a worker, or of the only one.

    Parameters
    ----------
    environment
        Locust's, with its runner.
    """

    def __init__(self, environment: Environment) -> None:
        assert environment.parsed_options is not None  # The locust program always parses a command line.
        self.environment = environment
        self.options = environment.parsed_options
        self.recorder = Recorder(environment)
        self.is_worker = isinstance(environment.runner, WorkerRunner)
        self.is_running = False
        # Of the last run that has ended.
        self.verdict: Verdict | None = None

    def set_up(self) -> None:
        """Choose users and shape; without a page, where the host may be another, make everything else ready too.

        Raises
        ------
        UnusableOption
            If an option cannot be done as asked.
        UnusableRows
            If the named rows cannot be sent.
        ServiceUnreachable, UnusableDescription
            As ``prepare``.
        """
        options = self.options
        if self.is_worker:
            # The master decides who runs. With the same options as the master, only these need to be ready.
            if options.user_classes or options.tags or options.exclude_tags:
                # What cannot be chosen is the master's to say.
                with suppress(UnusableOption):
                    self.environment.user_classes[:] = choose_users(options)
            return
        check_files(options)
        if options.rows:
            read_rows(Path(options.rows))
        self.environment.user_classes[:] = choose_users(options)
        self._tell_chosen_users()
        if options.shape is not None:
            shape = self._make_shape()
            shape.runner = self.environment.runner
            self.environment.shape_class = shape
            # Where the page has a class picker, the shape is chosen there.
            self.environment.available_shape_classes = {options.shape: shape}
            if options.num_users or options.run_time:
                logger.warning("--users and --run-time are not used: --shape %s decides both.", options.shape)
        if options.headless:
            self.prepare()

    def prepare(self) -> None:
        """Ask what the model takes, and choose the rows.

        Raises
        ------
        UnusableOption
            If no host was named.
        UnusableRows
            If the rows cannot be sent.
        ServiceUnreachable
            If nobody answers.
        UnusableDescription
            If the service does not say what its model takes, and it has to be known.
        """
        if not self.environment.host:
            raise UnusableOption("Name the service with --host, such as --host http://127.0.0.1:8000.")
        options, users = self.options, [USERS[name] for name in self.options.chosen_users]
        model = None
        try:
            model = ask_for_model(self.environment.host)
        except UnusableDescription as error:
            if any(user.needs_model for user in users) or not (options.rows or DEFAULT_ROWS.exists()):
                raise
            logger.warning("%s", error)
        rows, source = choose_rows(Path(options.rows) if options.rows else None, DEFAULT_ROWS, model, options.seed)
        logger.info("The rows come from %s.", source)
        if DriftedUser in users:
            CheckedUser.drifted_rows = drift_rows(rows, options.drift_shift, options.drift_scale)
        CheckedUser.rows, CheckedUser.model = rows, model

    def begin(self) -> None:
        """Let every run begin alike, with the options that were typed or set on the page.

        Raises
        ------
        As ``prepare``, in a process that runs users and was not prepared at the start.
        """
        self.is_running = True
        self.verdict = None
        # A search for the limit leaves out the beginning of each of its steps instead.
        self.recorder.begin(0.0 if self.options.shape == STEP_TO_LIMIT else self.options.warmup_s)
        CheckedUser.seed = self.options.seed
        CheckedUser.user_numbers = itertools.count()
        if not self.is_worker:
            self._tell_chosen_users()
        has_users = not isinstance(self.environment.runner, MasterRunner)
        if has_users and (self.is_worker or not self.options.headless):
            self.prepare()

    def end(self) -> Verdict:
        """Judge the run that ends, once, and write the verdict where it is asked for."""
        self.is_running = False
        if self.verdict is None:
            shape, runner = self.environment.shape_class, self.environment.runner
            search = shape.search if isinstance(shape, StepToLimitShape) else None
            figures = search.result if search else self.recorder.figures
            errors = sum(error["count"] for error in runner.exceptions.values()) if runner else 0
            self.verdict = judge(figures, read_limits(self.options), errors)
            if search:
                self.verdict = replace(self.verdict, sentence=f"{self.verdict.sentence} {search}")
            self.write(self.verdict)
        return self.verdict

    def write(self, verdict: Verdict) -> None:
        """Write a verdict where it is asked for."""
        if self.options.junit_file:
            write_junit(Path(self.options.junit_file), verdict)
        if self.options.verdict_file:
            users = self.options.chosen_users
            write_json(
                Path(self.options.verdict_file),
                verdict,
                host=self.environment.host,
                users=users,
                shape=self.options.shape,
            )

    def _tell_chosen_users(self) -> None:
        """Put the users among the options, because Locust hands only those on to its workers."""
        self.options.chosen_users = [user.__name__ for user in self.environment.user_classes]

    def _make_shape(self) -> LoadTestShape:
        """Make the shape that is asked for."""
        name, scale = self.options.shape, self.options.shape_scale
        if name != STEP_TO_LIMIT:
            return StagedShape(STAGES[name], scale)
        limits = read_limits(self.options)
        if limits.p95_ms is None and limits.p99_ms is None:
            limits = replace(limits, p95_ms=DEFAULT_P95_MS)
        return StepToLimitShape(limits, scale, lambda: self.recorder.figures)
