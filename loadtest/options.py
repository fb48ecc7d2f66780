"""The options of this load test, beside Locust's own.

``locust --help`` reads no locustfile and does not show them; docs/load.md does.
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

# Any fixed number does: two runs with the same options send the same rows in the same order. 16 is also the
# default seed of the training.
DEFAULT_SEED = 16

# Far outside of any noise, and still well-formed rows: every detector must speak.
DEFAULT_DRIFT_SHIFT = 3.0
DEFAULT_DRIFT_SCALE = 2.0

# Locust looks at a shape once a second, so a stage of 30 s that is shrunk further is over before it is seen.
SHORTEST_SCALE = 0.01

# Time for the prediction in flight and the question of on_stop, at their longest, and a second to spare.
# Locust's default of 0 cuts connections in the middle of a request, and the service counts requests that
# Locust does not.
STOP_TIMEOUT_SECONDS = 2 * REQUEST_TIMEOUT_SECONDS + 1


class UnusableOption(Exception):
    """An option that cannot be done as asked; the message names it and says what to do."""


def add_options(parser: LocustArgumentParser) -> None:
    """Add the options, and let a name of no user be a bad argument like any other."""
    _add_requests(parser)
    _add_shapes(parser)
    _add_criteria(parser)
    # A text, as Locust's own default is, so that Locust parses it like a typed one.
    parser.set_defaults(stop_timeout=f"{STOP_TIMEOUT_SECONDS:.0f}")
    # Locust itself would end with the code of a load that has failed. It offers no other way to its own argument.
    for action in parser._actions:
        if action.dest == "user_classes":
            action.type = _user_name


def read_limits(options: Namespace) -> Limits:
    """Read the pass criteria."""
    return Limits(options.max_fail_ratio, options.p95_ms, options.p99_ms, options.min_rps)


def check_files(options: Namespace) -> None:
    """Make sure that the verdict can be written, before a run of hours.

    Raises
    ------
    UnusableOption
        If a file that is asked for cannot be written.
    """
    for option, name in {"--junit": options.junit_file, "--json": options.verdict_file}.items():
        if name is None:
            continue
        try:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).open("a").close()
        except OSError as error:
            raise UnusableOption(f"{option} {name} cannot be written ({error.strerror}): name another file.") from None


def _add_requests(parser: LocustArgumentParser) -> None:
    """Add what decides which requests are sent."""
    parser.add_argument(
        "--rows",
        metavar="FILE",
        help="CSV file with a header and the rows to send. Default is data/test.csv of the repository; where there is "
        "none that fits the model, rows are made within the ranges of its features.",
        # Beside others below: read once at the start, so a change on the page would change nothing.
        include_in_web_ui=False,
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="<number>",
        default=DEFAULT_SEED,
        help=f"Decides the order of the rows and everything else that is drawn. Default is {DEFAULT_SEED}.",
    )
    parser.add_argument(
        "--drift-shift",
        type=_number(),
        metavar="<number>",
        default=DEFAULT_DRIFT_SHIFT,
        help=f"DriftedUser moves each feature by this many standard deviations. Default is {DEFAULT_DRIFT_SHIFT:g}.",
    )
    parser.add_argument(
        "--drift-scale",
        type=_number(0),
        metavar="<number>",
        default=DEFAULT_DRIFT_SCALE,
        help=f"DriftedUser stretches each feature by this factor. Default is {DEFAULT_DRIFT_SCALE:g}.",
    )


def _add_shapes(parser: LocustArgumentParser) -> None:
    """Add what decides how the load changes."""
    parser.add_argument(
        "--shape",
        choices=[*STAGES, STEP_TO_LIMIT],
        help="Let the number of users follow a shape, which ends by itself; --users and --run-time are not used then.",
        include_in_web_ui=False,
    )
    parser.add_argument(
        "--shape-scale",
        type=_number(SHORTEST_SCALE),
        metavar="<number>",
        default=1.0,
        help="Multiply the times of the shape by this. Default is 1.",
        include_in_web_ui=False,
    )


def _add_criteria(parser: LocustArgumentParser) -> None:
    """Add what a run must reach, and where the verdict is written."""
    parser.add_argument(
        "--max-fail-ratio",
        # Not above 1, because whoever means 5 % must not be told that everything passes.
        type=_number(0, most=1),
        metavar="<number>",
        default=Limits().max_fail_ratio,
        help="Most failures over requests, in [0, 1]. Default is 0.",
        include_in_web_ui=False,
    )
    criteria = {
        "--p95-ms": (None, "Longest time in ms for 95 of 100 requests."),
        "--p99-ms": (None, "Longest time in ms for 99 of 100 requests."),
        "--min-rps": (None, "Fewest requests a second."),
        "--warmup-s": (0.0, "Leave requests of the first seconds out of these criteria. Default is 0."),
    }
    for option, (default, meaning) in criteria.items():
        parser.add_argument(
            option, type=_number(0), metavar="<number>", default=default, help=meaning, include_in_web_ui=False
        )
    # Locust has a --json that prints its table; --json-file FILE, which writes it, stays.
    files = parser.add_argument_group("Verdict", conflict_handler="resolve")
    parser.set_defaults(json=False)
    files.add_argument("--junit", dest="junit_file", metavar="FILE", help="Write the verdict as JUnit's XML.")
    files.add_argument("--json", dest="verdict_file", metavar="FILE", help="Write the verdict as JSON.")


def _number(least: float = -math.inf, most: float = math.inf) -> Callable[[str], float]:
    """Make a parser of finite numbers in [least, most]."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or not least <= number <= most:
            bounds = [f" of at least {least:g}"] * (least > -math.inf) + [f" of at most {most:g}"] * (most < math.inf)
            raise ArgumentTypeError(f"{text!r} is not a number{' and'.join(bounds)}")
        return number

    return parse


def _user_name(text: str) -> str:
    """Take the name of a user class."""
    if text not in USERS:
        raise ArgumentTypeError(f"there is no user {text!r}: choose from {', '.join(USERS)}")
    return text
