"""What Prometheus says of each alert, asked again and again by one thread."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Literal

from loadtest.drill.alert_rules import AlertRule

State = Literal["inactive", "pending", "firing"]

# Several times within one evaluation of the rules.
_ASK_SECONDS = 0.4

# Prometheus is on this machine.
_ANSWER_SECONDS = 10


class AlertWatch:
    """Knows the state of every alert as of a moment ago.

    Parameters
    ----------
    address
        ``host:port`` of Prometheus.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._states: dict[AlertRule, State] = {}
        self._end_wanted = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> AlertWatch:
        self._states = self._ask()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_wanted.set()
        self._thread.join()

    def state(self, rule: AlertRule) -> State:
        """Tell the state of a rule; one that fires for anything fires."""
        return self._states.get(rule, "inactive")

    def _watch(self) -> None:
        """Ask until the end is wanted; while Prometheus does not answer, what it said last holds."""
        while not self._end_wanted.wait(_ASK_SECONDS):
            try:
                self._states = self._ask()
            except (OSError, http.client.HTTPException, ValueError):
                continue

    def _ask(self) -> dict[AlertRule, State]:
        """Ask once."""
        connection = http.client.HTTPConnection(self._address, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/api/v1/alerts")
            return states_of(json.loads(connection.getresponse().read())["data"]["alerts"])
        finally:
            connection.close()


def states_of(alerts: Iterable[Mapping[str, Any]]) -> dict[AlertRule, State]:
    """Sum alerts up by their rules.

    Parameters
    ----------
    alerts
        As Prometheus lists them.

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
