"""Options for where the metrics of a training are served."""

from __future__ import annotations

import argparse
import os

_MAX_PORT = 65_535

# A day. To keep metrics for longer, use the Pushgateway.
_MAX_HOLD_SECONDS = 86_400


def add_metrics_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for where the metrics of a training are served; environment defaults suit containers."""
    parser.add_argument(
        "--metrics-port",
        metavar="PORT",
        type=port_number,
        default=os.environ.get("TRAINING_METRICS_PORT") or None,
        help="port of the training's metrics, for Prometheus to scrape; 0 for none "
        "(default: $TRAINING_METRICS_PORT, else 8002 if it is free)",
    )
    parser.add_argument(
        "--metrics-host",
        metavar="HOST",
        default=os.environ.get("TRAINING_METRICS_HOST") or "127.0.0.1",
        help="address to serve the metrics on; 0.0.0.0 for every address of the machine "
        "(default: $TRAINING_METRICS_HOST, else 127.0.0.1)",
    )
    parser.add_argument(
        "--metrics-hold",
        metavar="SECONDS",
        type=seconds,
        default=os.environ.get("TRAINING_METRICS_HOLD") or "0",
        help="how long the metrics are served after the training has ended (default: $TRAINING_METRICS_HOLD, else 0)",
    )


def port_number(text: str) -> int:
    """Parse a port.

    Examples
    --------
    >>> port_number("8002")
    8002
    """
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to {_MAX_PORT}, or 0 for no metrics.")
    return int(text)


def seconds(text: str) -> float:
    """Parse a waiting time.

    Examples
    --------
    >>> seconds("2.5")
    2.5
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _MAX_HOLD_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds; use 0 to {_MAX_HOLD_SECONDS}.")
    return number
