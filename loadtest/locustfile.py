"""What Locust is pointed at: ``locust -f loadtest/locustfile.py --host http://127.0.0.1:8000``.

The user classes imported here are those that can be chosen; the rest answers Locust's events. docs/load.md tells of the
options, and ``loadtest.pass_criteria`` of the exit codes.
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

# Locust may be started in any folder, so the package is made importable from here. It goes to the second
# place: Locust has put this file's folder in the first, and removes whatever is there after the import.
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from loadtest import options
from loadtest.load_run import LoadRun
from loadtest.model_description import ServiceUnreachable, UnusableDescription
from loadtest.pass_criteria import ExitCode, unreachable
from loadtest.payloads import UnusableRows
from loadtest.users import (  # noqa: F401 - Locust finds them here.
    BadInputUser,
    BatchUser,
    BoundaryUser,
    DriftedUser,
    SingleRowUser,
    V2User,
)

logger = logging.getLogger(__name__)

# What can be wrong before the first request, and the code that the program then ends with.
BAD_USAGE = (options.UnusableOption, UnusableRows)
BAD_SERVICE = (ServiceUnreachable, UnusableDescription)


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Add the options of this load test to Locust's own."""
    options.add_options(parser)


def set_up(environment: Environment, **_: Any) -> None:
    """Make everything ready before the first user or the web page starts; end with one sentence if that fails."""
    load = LoadRun(environment)
    try:
        load.set_up()
    except BAD_USAGE as error:
        print(error, file=sys.stderr)
        end_program(ExitCode.USAGE)
    except BAD_SERVICE as error:
        verdict = unreachable(str(error))
        load.write(verdict)
        print(verdict, file=sys.stderr)
        end_program(ExitCode.UNREACHABLE)
    connect(environment, load)


def end_program(code: ExitCode) -> NoReturn:
    """End before the first run, and the workers of ``--processes`` with it: they would wait a minute for a master."""
    for worker in psutil.Process().children():
        worker.terminate()
    sys.exit(code)


def connect(environment: Environment, load: LoadRun) -> None:
    """Let the load begin and end with Locust's runs."""
    is_worker, is_headless = load.is_worker, load.options.headless
    runner = environment.runner
    assert runner is not None  # The locust program makes one before it says that it is ready.

    def begin_run(**_: Any) -> None:
        """Begin, or stop before the first request."""
        if is_worker:
            # A worker that has run before still counts as stopped until its first user starts, and takes no notice of a
            # stop until then: its users would start after it, and nobody would stop them.
            runner.update_state(STATE_INIT)
        try:
            load.begin()
        except (*BAD_USAGE, *BAD_SERVICE) as error:
            if not is_worker:
                raise StopTest(str(error)) from None
            # Locust has no way to refuse a run as a worker, so this one leaves the others to it.
            logger.error("%s", error)
            runner.greenlet.spawn(runner.quit)

    def end_run(**_: Any) -> None:
        """Judge a run of the page; as a worker, be ready for the next."""
        if is_worker:
            # All users have ended, but Locust would let as much time pass again before this worker may start others.
            # The master names the time anew with every run.
            environment.stop_timeout = 0.0
        elif not is_headless and load.is_running:
            print(load.end(), flush=True)

    def choose_exit_code(**_: Any) -> None:
        """Choose the exit code, while the workers' last figures are there; a page may end without a run."""
        if not is_worker and (is_headless or load.is_running):
            load.end()
        if load.verdict is not None:
            environment.process_exit_code = load.verdict.exit_code

    def say_verdict(**_: Any) -> None:
        """Print the verdict below Locust's tables, as the last that is said."""
        if is_headless and load.verdict is not None:
            print(load.verdict, flush=True)

    environment.events.test_start.add_listener(begin_run)
    environment.events.test_stop.add_listener(end_run)
    environment.events.quitting.add_listener(choose_exit_code)
    environment.events.quit.add_listener(say_verdict)


events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(set_up)
