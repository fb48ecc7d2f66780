"""What Locust is pointed at: ``locust -f loadtest/locustfile.py --host http://127.0.0.1:8000``.

The user classes imported here are those that run. The rest is the command line: ``--rows FILE`` and
``--seed NUMBER`` beside Locust's own options. ``locust --help`` reads no locustfile and does not show them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

# Locust may be started in any folder, so the package is made importable from here. It goes to the second
# place: Locust has put this file's folder in the first, and removes whatever is there after the import.
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from loadtest.payloads import UnusableRows, read_rows
from loadtest.users import REQUEST_TIMEOUT_SECONDS, SingleRowUser

DEFAULT_ROWS = Path(__file__).resolve().parent.parent / "data" / "test.csv"

# Any fixed number does: two runs with the same options send the same rows in the same order. 16 is also the
# default seed of the training.
DEFAULT_SEED = 16

# Time for the prediction in flight and the question of on_stop, at their longest, and a second to spare.
# Locust's default of 0 cuts connections in the middle of a request, and the service counts requests that
# Locust does not.
STOP_TIMEOUT_SECONDS = 2 * REQUEST_TIMEOUT_SECONDS + 1

# The status that argparse, and so Locust, exits with for a bad argument.
BAD_ARGUMENT = 2


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Add the options of this load test to Locust's own."""
    parser.add_argument(
        "--rows",
        metavar="FILE",
        default=str(DEFAULT_ROWS),
        help="CSV file with a header and the rows to send. Default is data/test.csv of the repository.",
        # Read once at the start, so a change on the page would change nothing.
        include_in_web_ui=False,
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="<number>",
        default=DEFAULT_SEED,
        help=f"Decides the order of the rows and which requests ask for a score. Default is {DEFAULT_SEED}.",
    )
    # A text, as Locust's own default is, so that Locust parses it like a typed one.
    parser.set_defaults(stop_timeout=f"{STOP_TIMEOUT_SECONDS:.0f}")


def load_rows(environment: Environment, **_: Any) -> None:
    """Read the rows before the first user or the web page starts; end with one sentence if that fails."""
    assert environment.parsed_options is not None  # The locust program always parses a command line.
    try:
        SingleRowUser.rows = read_rows(Path(environment.parsed_options.rows))
    except UnusableRows as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_ARGUMENT)


def begin_test(environment: Environment, **_: Any) -> None:
    """Let every run begin alike, with the seed that was typed or set on the page."""
    assert environment.parsed_options is not None  # As above.
    SingleRowUser.seed = environment.parsed_options.seed
    SingleRowUser.restart_numbers()


# The ignores: Locust does not annotate its events.
events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]
events.init.add_listener(load_rows)  # type: ignore[no-untyped-call]
events.test_start.add_listener(begin_test)  # type: ignore[no-untyped-call]
