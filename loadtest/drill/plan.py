"""Which causes are produced together, and which alerts have no cause."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.causes import Cause
from loadtest.drill.label_causes import WRONG_MODEL
from loadtest.drill.model_causes import (
    BROKEN_MODEL,
    FAILING_TRAINING,
    MISSING_MODEL,
    OLD_MODEL,
    WAITING_TRAINING,
)
from loadtest.drill.monitoring_causes import BROKEN_CONFIGURATION, FAILING_RULE, REJECTING_RECEIVER
from loadtest.drill.process_causes import (
    DYING_WORKERS,
    HANGING_RECORDER,
    HANGING_REPLICA,
    LOCKED_RECORDS,
    MANY_WORKERS,
    SLOW_RECORDER,
)
from loadtest.drill.traffic_causes import BOUNDARY_ROWS, DRIFTED_ROWS, INVALID_REQUESTS, SLOW_BATCHES

# Fires all the time, so it has no cause and is never quiet.
ALWAYS = AlertRule("Watchdog")

# The causes of a phase do not interfere with each other. Slow answers come first, because a busy machine may use up
# their budget by itself. Drifted rows come late, because a new model resets the detectors.
PHASES: tuple[tuple[Cause, ...], ...] = (
    (SLOW_BATCHES, HANGING_REPLICA, WAITING_TRAINING, FAILING_RULE, DYING_WORKERS, HANGING_RECORDER, OLD_MODEL),
    (
        MISSING_MODEL,
        INVALID_REQUESTS,
        REJECTING_RECEIVER,
        MANY_WORKERS,
        BROKEN_CONFIGURATION,
        FAILING_TRAINING,
        LOCKED_RECORDS,
    ),
    (BROKEN_MODEL, SLOW_RECORDER),
    (DRIFTED_ROWS,),
    # Figures of labels are updated once a minute, and a new model has none.
    (BOUNDARY_ROWS, WRONG_MODEL),
)

# Alerts that cannot be triggered on a single machine without containers, or within minutes. `promtool test rules` tests
# them instead.
NOT_DRIVEN = {
    "ContainerMemoryNearLimit": "needs cAdvisor, which only sees containers",
    "ContainerRestarting": "needs cAdvisor, which only sees containers",
    "ContainerThrottled": "needs cAdvisor, which only sees containers",
    "DoorAvailabilityBudgetBurn": "needs Caddy, which only the Compose platform has",
    "DoorDown": "needs Caddy, which only the Compose platform has",
    "DoorLatencyBudgetBurn": "needs Caddy, which only the Compose platform has",
    "DriftNotWatched": "needs a model without detectors, and the drill's models are watched",
    "HostClockSkew": "would need the clock of the machine to be changed",
    "HostCpuSaturated": "would need all CPUs of the machine for a quarter of an hour",
    "HostDiskFilling": "would need a disk of the machine to be filled",
    "HostInodesLow": "would need a disk of the machine to be filled",
    "HostMemoryLow": "would need the memory of the machine to be filled",
    "HostOutOfMemoryKills": "would need the memory of the machine to be filled",
    "HostPressure": "would need the machine to be overloaded",
    "ReplicasMissing": "needs Docker's DNS, which drops the addresses of dead replicas",
    "TargetDown": "needs a part of the Compose platform to be stopped",
    "MetricsFolderFull": "would need the memory disk of the machine to be filled",
}


def rules_of(cause: Cause, rules: Iterable[AlertRule]) -> list[AlertRule]:
    """Return the rules that a cause must trigger."""
    return [rule for rule in rules if rule.name in cause.alerts]


def unplanned(rules: Iterable[AlertRule]) -> list[AlertRule]:
    """Return the rules that have neither a cause nor a reason for having none.

    Examples
    --------
    >>> unplanned([AlertRule("ServiceDown"), AlertRule("NewAlert")])
    [AlertRule(name='NewAlert', window='')]
    """
    planned = {ALWAYS.name, *NOT_DRIVEN}.union(*(cause.alerts for phase in PHASES for cause in phase))
    return [rule for rule in rules if rule.name not in planned]
