"""The command line: ``python -m loadtest.drill``."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from loadtest.drill.alert_rules import AlertRule, alert_rules, read_rule_files
from loadtest.drill.causes_by_traffic import USUAL_PER_SECOND, usual_requests
from loadtest.drill.chain import Chain, running_chain
from loadtest.drill.changed_thresholds import CHANGED
from loadtest.drill.configurations import RULES
from loadtest.drill.driving import drive_phase, watch_always
from loadtest.drill.lines import Line, table, verdict
from loadtest.drill.plan import ALWAYS, NOT_DRIVEN, PHASES, unplanned
from loadtest.drill.programs import DrillRefused, wait_until
from loadtest.drill.time_scaling import TimeScaling
from loadtest.drill.traffic import traffic

# An hour becomes 3.6 seconds, three days become four minutes.
_FACTOR = 1000.0

# Four scrapes of two seconds leave room for one that fails on a busy machine.
_SCRAPE_SECONDS = 2.0

# Starts, and rates over a window that is not full, may look like something.
_QUIET_SECONDS = 90

PASSED, FAILED, REFUSED = 0, 1, 2

# What shells say of a program that Ctrl-C has ended.
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Drill.

    Returns
    -------
    Exit status: 0 every alert did what it has to, 1 one did not, 2 the drill could not run,
    130 Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m loadtest.drill", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--alert", metavar="NAME", action="append", help="only causes of this alert; may be given again"
    )
    parser.add_argument("--keep", metavar="DIR", type=Path, help="a new folder in which logs and data stay")
    parser.add_argument(
        "--factor", metavar="NUMBER", type=float, default=_FACTOR, help="what time is divided by (%(default)g)"
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end_orderly)
    try:
        lines = drill(options.alert, options.keep, TimeScaling(options.factor, _SCRAPE_SECONDS))
    except DrillRefused as error:
        print(f"isowatch: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("isowatch: the drill was ended; all that it started has ended too.", file=sys.stderr)
        return INTERRUPTED
    print(f"\n{table(lines)}\n\n{verdict(lines)}", flush=True)
    return PASSED if all(line.has_passed for line in lines) else FAILED


def drill(alerts: Sequence[str] | None, keep: Path | None, shrinking: TimeScaling) -> list[Line]:
    """Start the chain, produce all causes, and end it.

    Parameters
    ----------
    alerts
        Names of the alerts whose causes are produced; None for all.
    keep
        A folder that is made for logs and data; None for one that is removed.
    shrinking
        How much shorter time is.

    Returns
    -------
    A line for each alert.
    """
    rules = alert_rules(read_rule_files(RULES).values())
    if unknown := unplanned(rules):
        raise DrillRefused(
            f"{', '.join(map(str, unknown))} has neither a cause nor a reason: add one to loadtest/drill/plan.py."
        )
    if strange := set(alerts or ()) - {rule.name for rule in rules}:
        raise DrillRefused(f"There is no alert {', '.join(sorted(strange))}: monitoring/runbook.md names all.")
    for threshold in CHANGED:
        print(f"{threshold.record} is {threshold.expression}: {threshold.reason}.")
    with ExitStack() as stack:
        chain = stack.enter_context(running_chain(_folder(stack, keep), shrinking))
        # What is asked all the time.
        stack.enter_context(traffic(chain.replicas["asked"].address, USUAL_PER_SECOND, usual_requests()))
        _wait_until_quiet(chain, rules)
        lines = [watch_always(chain, ALWAYS)]
        for number, causes in enumerate(PHASES, 1):
            chosen = [cause for cause in causes if alerts is None or set(cause.alerts) & set(alerts)]
            if chosen:
                begin = time.monotonic()
                print(f"Phase {number}: {', '.join(cause.title for cause in chosen)}.", flush=True)
                found = drive_phase(chain, chosen, rules)
                print(f"{table(found)}\n({time.monotonic() - begin:.0f} s)", flush=True)
                lines += found
    return lines + [Line(rule, NOT_DRIVEN[rule.name], is_driven=False) for rule in rules if rule.name in NOT_DRIVEN]


def _wait_until_quiet(chain: Chain, rules: Sequence[AlertRule]) -> None:
    """Wait until Watchdog fires, which says that rules are evaluated, and no other that is driven does."""

    def is_quiet() -> bool:
        chain.prometheus.require_alive()
        loud = {rule for rule in rules if chain.alerts.state(rule) != "inactive" and rule.name not in NOT_DRIVEN}
        return loud == {ALWAYS}

    wait_until(is_quiet, "a chain in which only Watchdog fires", _QUIET_SECONDS)


def _folder(stack: ExitStack, keep: Path | None) -> Path:
    """Make the folder of a drill."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="isowatch-drill-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder
    if keep.exists():
        raise DrillRefused(f"{keep} is there: name a new folder with --keep DIR.")
    keep.mkdir(parents=True)
    return keep.resolve()


def _end_orderly(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does: everything that was started is ended."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
