"""The options of this load test, in addition to Locust's own.

``locust --help`` does not load the locustfile and does not show them; see docs/load.md.
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

from locust.argument_parser import LocustArgumentParser

from loadtest.checked_user import REQUEST_TIMEOUT_SECONDS
from loadtest.limit_search import STEP_TO_LIMIT
from loadtest.pass_criteria import Limits
from loadtest.stages import STAGES
from loadtest.users import USERS

# Any fixed number: two runs with the same options send the same rows in the same order. 16 is also the training's
# default seed.
DEFAULT_SEED = 16

# Far beyond noise, but still valid rows: every drift detector must react.
DEFAULT_DRIFT_SHIFT = 3.0
DEFAULT_DRIFT_SCALE = 2.0

# Locust polls a shape once a second, so a 30 s stage scaled down further could end between two polls.
MIN_SCALE = 0.01

# Time for the prediction in flight and the request of on_stop, at their longest, plus a second. Locust's default
# of 0 cuts connections in the middle of a request, and the service counts requests that Locust does not.
STOP_TIMEOUT_SECONDS = 2 * REQUEST_TIMEOUT_SECONDS + 1


class UnusableOption(Exception):
    """An option cannot be used; the message names it and says what to do."""


def add_options(parser: LocustArgumentParser) -> None:
    """Add the options, and make an unknown user name a usage error."""
    _add_requests(parser)
    _add_shapes(parser)
    _add_criteria(parser)
    # A string like Locust's own default, so that Locust parses it like a typed value.
    parser.set_defaults(stop_timeout=f"{STOP_TIMEOUT_SECONDS:.0f}")
    # Locust would exit with 1, the code of a missed criterion, and has no public way to change this argument.
    for action in parser._actions:
        if action.dest == "user_classes":
            action.type = _user_name


def read_limits(options: Namespace) -> Limits:
    """Read the pass criteria."""
    return Limits(options.max_fail_ratio, options.p95_ms, options.p99_ms, options.min_rps)


def check_files(options: Namespace) -> None:
    """Check that the result files can be written, before a run of hours.

    Raises
    ------
    UnusableOption
        If a requested file cannot be written.
    """
    for option, name in {"--junit": options.junit_file, "--json": options.result_file}.items():
        if name is None:
            continue
        try:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).open("a").close()
        except OSError as error:
            raise UnusableOption(f"{option} {name} cannot be written ({error.strerror}): use another file.") from None


def _add_requests(parser: LocustArgumentParser) -> None:
    """Add the options that determine which requests are sent."""
    parser.add_argument(
        "--rows",
        metavar="FILE",
        help="CSV file with a header and the rows to send. Default is data/test.csv of the repository; if there is no "
        "file that fits the model, rows are generated within the ranges of its features.",
        # Like others below, this is read only at startup, so changing it on the web page would have no effect.
        include_in_web_ui=False,
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="<number>",
        default=DEFAULT_SEED,
        help=f"Determines the order of the rows and all other random choices. Default is {DEFAULT_SEED}.",
    )
    parser.add_argument(
        "--drift-shift",
        type=_number(),
        metavar="<number>",
        default=DEFAULT_DRIFT_SHIFT,
        help=f"DriftedUser shifts each feature by this many standard deviations. Default is {DEFAULT_DRIFT_SHIFT:g}.",
    )
    parser.add_argument(
        "--drift-scale",
        type=_number(0),
        metavar="<number>",
        default=DEFAULT_DRIFT_SCALE,
        help=f"DriftedUser scales each feature by this factor. Default is {DEFAULT_DRIFT_SCALE:g}.",
    )


def _add_shapes(parser: LocustArgumentParser) -> None:
    """Add the options that change the load over time."""
    parser.add_argument(
        "--shape",
        choices=[*STAGES, STEP_TO_LIMIT],
        help="Change the number of users over time; ends by itself and ignores --users and --run-time.",
        include_in_web_ui=False,
    )
    parser.add_argument(
        "--shape-scale",
        type=_number(MIN_SCALE),
        metavar="<number>",
        default=1.0,
        help="Multiply the shape's durations by this factor. Default is 1.",
        include_in_web_ui=False,
    )


def _add_criteria(parser: LocustArgumentParser) -> None:
    """Add the pass criteria and the result files."""
    parser.add_argument(
        "--max-fail-ratio",
        # At most 1: a user who types 5 and means 5 % would otherwise always pass.
        type=_number(0, maximum=1),
        metavar="<number>",
        default=Limits().max_fail_ratio,
        help="Maximum share of failed requests, in [0, 1]. Default is 0.",
        include_in_web_ui=False,
    )
    criteria = {
        "--p95-ms": (None, "Maximum 95th percentile of the response time, in milliseconds."),
        "--p99-ms": (None, "Maximum 99th percentile of the response time, in milliseconds."),
        "--min-rps": (None, "Minimum requests per second."),
        "--warmup-s": (0.0, "Ignore requests sent in the first seconds. Default is 0."),
    }
    for option, (default, meaning) in criteria.items():
        parser.add_argument(
            option, type=_number(0), metavar="<number>", default=default, help=meaning, include_in_web_ui=False
        )
    # This replaces Locust's --json, which prints its table; Locust's --json-file, which writes it, stays.
    files = parser.add_argument_group("Result", conflict_handler="resolve")
    parser.set_defaults(json=False)
    files.add_argument("--junit", dest="junit_file", metavar="FILE", help="Write the result as JUnit XML.")
    files.add_argument("--json", dest="result_file", metavar="FILE", help="Write the result as JSON.")


def _number(minimum: float = -math.inf, maximum: float = math.inf) -> Callable[[str], float]:
    """Return a parser of finite numbers in [minimum, maximum]."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or not minimum <= number <= maximum:
            bounds = [f" of at least {minimum:g}"] * (minimum > -math.inf)
            bounds += [f" of at most {maximum:g}"] * (maximum < math.inf)
            raise ArgumentTypeError(f"{text!r} is not a number{' and'.join(bounds)}")
        return number

    return parse


def _user_name(text: str) -> str:
    """Check the name of a user class."""
    if text not in USERS:
        raise ArgumentTypeError(f"there is no user {text!r}: choose from {', '.join(USERS)}")
    return text
