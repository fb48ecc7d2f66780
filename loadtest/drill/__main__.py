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
from loadtest.drill.changed_thresholds import CHANGED
from loadtest.drill.configurations import RULES
from loadtest.drill.plan import ALWAYS, NOT_DRIVEN, PHASES, unplanned
from loadtest.drill.programs import DrillRefused, wait_until
from loadtest.drill.results import AlertResult, summary, table
from loadtest.drill.runner import check_always_firing, run_phase
from loadtest.drill.testbed import Testbed, running_testbed
from loadtest.drill.time_scaling import TimeScaling
from loadtest.drill.traffic import traffic
from loadtest.drill.traffic_causes import ORDINARY_PER_SECOND, ordinary_requests

# An hour becomes 3.6 seconds, three days become four minutes.
_FACTOR = 1000.0

# The shortest range is four scrapes, so one of them may fail on a busy machine.
_SCRAPE_SECONDS = 2.0

# Startup, and rates over incomplete windows, may cause alerts at first.
_QUIET_SECONDS = 90

PASSED, FAILED, REFUSED = 0, 1, 2

# The exit status that shells report for a program ended by Ctrl-C.
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    Exit status: 0 every alert passed, 1 one did not, 2 the drill could not run, 130 interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m loadtest.drill", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--alert", metavar="NAME", action="append", help="only the causes of this alert; may be repeated"
    )
    parser.add_argument("--keep", metavar="DIR", type=Path, help="a new folder in which logs and data stay")
    parser.add_argument(
        "--factor", metavar="NUMBER", type=float, default=_FACTOR, help="divisor of all times (%(default)g)"
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    started_at = time.monotonic()
    try:
        results = drill(options.alert, options.keep, TimeScaling(options.factor, _SCRAPE_SECONDS))
    except DrillRefused as error:
        print(f"isowatch: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("isowatch: the drill was interrupted; everything it started has been stopped.", file=sys.stderr)
        return INTERRUPTED
    print(f"\n{table(results)}\n\n{summary(results, time.monotonic() - started_at)}", flush=True)
    return PASSED if all(result.has_passed for result in results) else FAILED


def drill(alerts: Sequence[str] | None, keep: Path | None, scaling: TimeScaling) -> list[AlertResult]:
    """Start the testbed, produce all causes, and stop it.

    Parameters
    ----------
    alerts
        Names of the alerts whose causes are produced; None for all.
    keep
        A new folder for logs and data; None for a temporary one.
    scaling
        How times are scaled down.

    Returns
    -------
    One result per alert.
    """
    rules = alert_rules(read_rule_files(RULES).values())
    if unknown := unplanned(rules):
        raise DrillRefused(f"No cause or reason for {', '.join(map(str, unknown))}: add one to loadtest/drill/plan.py.")
    if strange := set(alerts or ()) - {rule.name for rule in rules}:
        raise DrillRefused(f"Unknown alert {', '.join(sorted(strange))}: see monitoring/runbook.md for all alerts.")
    for threshold in CHANGED:
        print(f"Changed threshold: {threshold.record} is {threshold.expression}, because {threshold.reason}.")
    with ExitStack() as stack:
        testbed = stack.enter_context(running_testbed(_folder(stack, keep), scaling))
        # Ordinary traffic during the whole drill.
        stack.enter_context(traffic(testbed.replicas["serving"].address, ORDINARY_PER_SECOND, ordinary_requests()))
        _wait_until_quiet(testbed, rules)
        results = [check_always_firing(testbed, ALWAYS)]
        for number, causes in enumerate(PHASES, 1):
            chosen = [cause for cause in causes if alerts is None or set(cause.alerts) & set(alerts)]
            if chosen:
                started_at = time.monotonic()
                print(f"Phase {number}: {', '.join(cause.title for cause in chosen)}.", flush=True)
                found = run_phase(testbed, chosen, rules)
                print(f"{table(found)}\n({time.monotonic() - started_at:.0f} s)", flush=True)
                results += found
    return results + [
        AlertResult(rule, NOT_DRIVEN[rule.name], is_driven=False) for rule in rules if rule.name in NOT_DRIVEN
    ]


def _wait_until_quiet(testbed: Testbed, rules: Sequence[AlertRule]) -> None:
    """Wait until Watchdog fires, which shows that rules are evaluated, and no other driven alert does."""

    def is_quiet() -> bool:
        testbed.prometheus.require_alive()
        loud = {rule for rule in rules if testbed.alerts.state(rule) != "inactive" and rule.name not in NOT_DRIVEN}
        return loud == {ALWAYS}

    wait_until(is_quiet, "only Watchdog to fire", _QUIET_SECONDS)


def _folder(stack: ExitStack, keep: Path | None) -> Path:
    """Create the folder of a drill."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="isowatch-drill-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder
    if keep.exists():
        raise DrillRefused(f"{keep} already exists: give a new folder with --keep DIR.")
    keep.mkdir(parents=True)
    return keep.resolve()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal like Ctrl-C, so that everything that was started is stopped."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
