"""The locustfile: ``locust -f loadtest/locustfile.py --host http://127.0.0.1:8000``.

Locust offers the user classes imported here; the functions below handle its events. See docs/load.md for the options
and ``loadtest.pass_criteria`` for the exit codes.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, NoReturn

import psutil
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import STATE_INIT

# Locust may be started in any folder, so make the package importable. Insert it at index 1: Locust has put this
# file's folder at index 0, and removes whatever is there after the import.
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from loadtest import options
from loadtest.load_run import LoadRun
from loadtest.model_description import ServiceUnreachable, UnusableDescription
from loadtest.pass_criteria import ExitCode, unreachable_result
from loadtest.rows import UnusableRows
from loadtest.users import (  # noqa: F401 - Locust looks for user classes here.
    BadInputUser,
    BatchUser,
    BoundaryUser,
    DriftedUser,
    SingleRowUser,
    V2User,
)

logger = logging.getLogger(__name__)

# Errors before the first request, by the exit code that they lead to.
BAD_USAGE = (options.UnusableOption, UnusableRows)
BAD_SERVICE = (ServiceUnreachable, UnusableDescription)


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Add this load test's options to Locust's own."""
    options.add_options(parser)


def set_up(environment: Environment, **_: Any) -> None:
    """Prepare the load test before the first user or the web page starts; exit with a one-line message on failure."""
    load = LoadRun(environment)
    try:
        load.set_up()
    except BAD_USAGE as error:
        print(error, file=sys.stderr)
        end_program(ExitCode.USAGE)
    except BAD_SERVICE as error:
        result = unreachable_result(str(error))
        load.write(result)
        print(result, file=sys.stderr)
        end_program(ExitCode.UNREACHABLE)
    connect(environment, load)


def end_program(code: ExitCode) -> NoReturn:
    """Exit before the first run and terminate the workers of ``--processes``: they would wait a minute for a master."""
    for worker in psutil.Process().children():
        worker.terminate()
    sys.exit(code)


def connect(environment: Environment, load: LoadRun) -> None:
    """Connect the load test to Locust's events."""
    is_worker, is_headless = load.is_worker, load.options.headless
    runner = environment.runner
    assert runner is not None  # The locust program creates one before the init event.

    def start_run(**_: Any) -> None:
        """Start the run, or stop it before the first request."""
        if is_worker:
            # A worker that has run before is in the state "stopped" until its first user starts, and ignores a stop
            # until then: users started after that stop would never be stopped.
            runner.update_state(STATE_INIT)
        try:
            load.start()
        except (*BAD_USAGE, *BAD_SERVICE) as error:
            if not is_worker:
                raise StopTest(str(error)) from None
            # Locust does not let a worker refuse a run, so this worker quits and the others continue.
            logger.error("%s", error)
            runner.greenlet.spawn(runner.quit)

    def end_run(**_: Any) -> None:
        """Evaluate a run started on the web page; in a worker, prepare for the next run."""
        if is_worker:
            # All users have stopped, but Locust would wait for the stop timeout once more before this worker can start
            # new ones. The master sends the timeout again with every run.
            environment.stop_timeout = 0.0
        elif not is_headless and load.is_running:
            print(load.end(), flush=True)

    def set_exit_code(**_: Any) -> None:
        """Set the exit code while the workers' last measurements are available; the web page may end without a run."""
        if not is_worker and (is_headless or load.is_running):
            load.end()
        if load.result is not None:
            environment.process_exit_code = load.result.exit_code

    def print_result(**_: Any) -> None:
        """Print the result below Locust's tables, as the last output."""
        if is_headless and load.result is not None:
            print(load.result, flush=True)

    environment.events.test_start.add_listener(start_run)
    environment.events.test_stop.add_listener(end_run)
    environment.events.quitting.add_listener(set_exit_code)
    environment.events.quit.add_listener(print_result)


events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(set_up)
