"""Poll the states of all alerts from Prometheus in a thread."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Literal

from loadtest.drill.alert_rules import AlertRule

State = Literal["inactive", "pending", "firing"]

# Several times per evaluation of the rules.
_POLL_SECONDS = 0.4

# Prometheus runs on this machine.
_TIMEOUT_SECONDS = 10


class AlertPoller:
    """Store the latest state of every alert while the block runs.

    Parameters
    ----------
    address
        ``host:port`` of Prometheus.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._states: dict[AlertRule, State] = {}
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> AlertPoller:
        self._states = self._ask()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop_requested.set()
        self._thread.join()

    def state(self, rule: AlertRule) -> State:
        """Return the state of a rule, which is firing if any of its alerts is."""
        return self._states.get(rule, "inactive")

    def _watch(self) -> None:
        """Poll until stopped; while Prometheus does not answer, the last states remain."""
        while not self._stop_requested.wait(_POLL_SECONDS):
            try:
                self._states = self._ask()
            except (OSError, http.client.HTTPException, ValueError):
                continue

    def _ask(self) -> dict[AlertRule, State]:
        """Request the states once."""
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/api/v1/alerts")
            return states_of(json.loads(connection.getresponse().read())["data"]["alerts"])
        finally:
            connection.close()


def states_of(alerts: Iterable[Mapping[str, Any]]) -> dict[AlertRule, State]:
    """Return the state of each rule.

    Parameters
    ----------
    alerts
        Alerts as listed by Prometheus's API.

    Examples
    --------
    >>> alert = {"labels": {"alertname": "ServiceDown"}, "state": "firing"}
    >>> states_of([alert, alert | {"state": "pending"}])
    {AlertRule(name='ServiceDown', window=''): 'firing'}
    """
    states: dict[AlertRule, State] = {}
    for alert in alerts:
        rule = AlertRule.of_labels(alert["labels"])
        if alert["state"] == "firing" or rule not in states:
            states[rule] = alert["state"]
    return states
