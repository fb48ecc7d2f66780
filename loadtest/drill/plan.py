"""Which causes are produced together, and which alerts have none here."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.causes import Cause
from loadtest.drill.causes_at_the_records import LOCKED_RECORDS
from loadtest.drill.causes_at_the_watchers import BROKEN_CONFIGURATION, FAILING_RULE, REFUSING_RECEIVER
from loadtest.drill.causes_by_models import (
    BROKEN_MODEL,
    FAILING_TRAINING,
    MISSING_MODEL,
    OLD_MODEL,
    WAITING_TRAINING,
)
from loadtest.drill.causes_by_signals import (
    DYING_WORKERS,
    HANGING_RECORDER,
    HANGING_REPLICA,
    MANY_WORKERS,
    SLOW_RECORDER,
)
from loadtest.drill.causes_by_traffic import MISTAKES, MOVED_ROWS, SLOW_BATCHES, UNSURE_ROWS

# Always fires, so there is no cause, and no quiet before and after.
ALWAYS = AlertRule("Watchdog")

# In each phase nothing that disturbs another. Slow answers come first: their budget is the one that a busy machine may
# spend by itself. A new model makes detectors begin anew, so rows move last.
PHASES: tuple[tuple[Cause, ...], ...] = (
    (SLOW_BATCHES, HANGING_REPLICA, WAITING_TRAINING, FAILING_RULE, DYING_WORKERS, HANGING_RECORDER, OLD_MODEL),
    (
        MISSING_MODEL,
        MISTAKES,
        REFUSING_RECEIVER,
        MANY_WORKERS,
        BROKEN_CONFIGURATION,
        FAILING_TRAINING,
        LOCKED_RECORDS,
    ),
    (BROKEN_MODEL, SLOW_RECORDER),
    (MOVED_ROWS,),
    (UNSURE_ROWS,),
)

# Alerts that nothing on one machine without containers, or within minutes, can drive; their tests with promtool stand
# for them.
NOT_DRIVEN = {
    "ContainerMemoryNearLimit": "needs cAdvisor, which sees containers only",
    "ContainerRestarting": "needs cAdvisor, which sees containers only",
    "HostDiskFilling": "would need a disk of the machine to be filled",
    "PrecisionBelowTarget": "needs many labels, and figures that are worked out once a minute, not once a scrape",
    "RecallBelowTarget": "needs an audit queue that was labelled, and figures that are worked out once a minute",
    "NoFeedbackArriving": "needs a label of three days ago; the service takes none of the past",
    "SegmentOutlierRatioUneven": "needs thousands of rows by segment, and shares that are worked out once a minute",
}


def rules_of(cause: Cause, rules: Iterable[AlertRule]) -> list[AlertRule]:
    """List the rules that a cause has to drive."""
    return [rule for rule in rules if rule.name in cause.alerts]


def unplanned(rules: Iterable[AlertRule]) -> list[AlertRule]:
    """List the rules that have neither a cause nor a reason why there is none.

    Examples
    --------
    >>> unplanned([AlertRule("ServiceDown"), AlertRule("NewAlert")])
    [AlertRule(name='NewAlert', window='')]
    """
    planned = {ALWAYS.name, *NOT_DRIVEN}.union(*(cause.alerts for phase in PHASES for cause in phase))
    return [rule for rule in rules if rule.name not in planned]
