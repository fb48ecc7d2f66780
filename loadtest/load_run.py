"""Prepare, start and evaluate a load test. The locustfile calls this on Locust's events."""

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
from loadtest.model_description import UnusableDescription, request_model_description
from loadtest.options import UnusableOption, check_files, read_limits
from loadtest.pass_criteria import LoadResult, evaluate
from loadtest.recorder import Recorder
from loadtest.result_files import write_json, write_junit
from loadtest.rows import DEFAULT_ROWS, choose_rows, drift_rows, read_rows
from loadtest.shapes import StagedShape, StepToLimitShape
from loadtest.stages import STAGES
from loadtest.user_choice import choose_users
from loadtest.users import USERS, DriftedUser

logger = logging.getLogger(__name__)


class LoadRun:
    """The load test in one process: a master, a worker, or the only process.

    Parameters
    ----------
    environment
        Locust's environment, with its runner.
    """

    def __init__(self, environment: Environment) -> None:
        assert environment.parsed_options is not None  # The locust program always parses a command line.
        self.environment = environment
        self.options = environment.parsed_options
        self.recorder = Recorder(environment)
        self.is_worker = isinstance(environment.runner, WorkerRunner)
        self.is_running = False
        # The result of the last run that has ended.
        self.result: LoadResult | None = None

    def set_up(self) -> None:
        """Select users and shape. Headless, also prepare the run; with the web page, the host may still change.

        Raises
        ------
        UnusableOption
            If an option cannot be used.
        UnusableRows
            If the file given with --rows cannot be used.
        ServiceUnreachable, UnusableDescription
            As in ``prepare``.
        """
        options = self.options
        if self.is_worker:
            # The master selects the users. With the same options, only these classes need to be available here.
            if options.user_classes or options.tags or options.exclude_tags:
                # The master reports invalid choices.
                with suppress(UnusableOption):
                    self.environment.user_classes[:] = choose_users(options)
            return
        check_files(options)
        if options.rows:
            read_rows(Path(options.rows))
        self.environment.user_classes[:] = choose_users(options)
        self._share_selected_users()
        if options.shape is not None:
            shape = self._make_shape()
            shape.runner = self.environment.runner
            self.environment.shape_class = shape
            # With --class-picker, the web page offers these shapes.
            self.environment.available_shape_classes = {options.shape: shape}
            if options.num_users or options.run_time:
                logger.warning("--users and --run-time are ignored: --shape %s determines both.", options.shape)
        if options.headless:
            self.prepare()

    def prepare(self) -> None:
        """Request the model's description and select the rows.

        Raises
        ------
        UnusableOption
            If no host was given.
        UnusableRows
            If the rows cannot be used.
        ServiceUnreachable
            If the service does not answer.
        UnusableDescription
            If the service does not describe its model, and the description is needed.
        """
        if not self.environment.host:
            raise UnusableOption("No host set: add --host, such as --host http://127.0.0.1:8000.")
        options, users = self.options, [USERS[name] for name in self.options.chosen_users]
        model = None
        try:
            model = request_model_description(self.environment.host)
        except UnusableDescription as error:
            if any(user.needs_model for user in users) or not (options.rows or DEFAULT_ROWS.exists()):
                raise
            logger.warning("%s", error)
        rows, source = choose_rows(Path(options.rows) if options.rows else None, DEFAULT_ROWS, model, options.seed)
        logger.info("Sending rows from %s.", source)
        if DriftedUser in users:
            CheckedUser.drifted_rows = drift_rows(rows, options.drift_shift, options.drift_scale)
        CheckedUser.rows, CheckedUser.model = rows, model

    def start(self) -> None:
        """Reset everything at the start of a run, with the options from the command line or the web page.

        Raises
        ------
        As ``prepare``, in a process that runs users and was not prepared at startup.
        """
        self.is_running = True
        self.result = None
        # The search for the limit ignores the beginning of each of its steps instead.
        self.recorder.start(0.0 if self.options.shape == STEP_TO_LIMIT else self.options.warmup_s)
        CheckedUser.seed = self.options.seed
        CheckedUser.user_numbers = itertools.count()
        if not self.is_worker:
            self._share_selected_users()
        has_users = not isinstance(self.environment.runner, MasterRunner)
        if has_users and (self.is_worker or not self.options.headless):
            self.prepare()

    def end(self) -> LoadResult:
        """Evaluate the run that ends, once, and write the requested result files."""
        self.is_running = False
        if self.result is None:
            shape, runner = self.environment.shape_class, self.environment.runner
            search = shape.search if isinstance(shape, StepToLimitShape) else None
            measurements = search.measurements if search else self.recorder.measurements
            errors = sum(error["count"] for error in runner.exceptions.values()) if runner else 0
            self.result = evaluate(measurements, read_limits(self.options), errors)
            if search:
                self.result = replace(self.result, sentence=f"{self.result.sentence} {search}")
            self.write(self.result)
        return self.result

    def write(self, result: LoadResult) -> None:
        """Write the requested result files."""
        if self.options.junit_file:
            write_junit(Path(self.options.junit_file), result)
        if self.options.result_file:
            users = self.options.chosen_users
            write_json(
                Path(self.options.result_file),
                result,
                host=self.environment.host,
                users=users,
                shape=self.options.shape,
            )

    def _share_selected_users(self) -> None:
        """Store the selected users in the options, the only thing that Locust passes on to its workers."""
        self.options.chosen_users = [user.__name__ for user in self.environment.user_classes]

    def _make_shape(self) -> LoadTestShape:
        """Create the requested shape."""
        name, scale = self.options.shape, self.options.shape_scale
        if name != STEP_TO_LIMIT:
            return StagedShape(STAGES[name], scale)
        limits = read_limits(self.options)
        if limits.p95_ms is None and limits.p99_ms is None:
            limits = replace(limits, p95_ms=DEFAULT_P95_MS)
        return StepToLimitShape(limits, scale, lambda: self.recorder.measurements)
