"""The alerts that the webhook has received."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from loadtest.drill.alert_rules import AlertRule


class ReceivedAlerts:
    """Store which alerts were reported as firing, and which of them are not resolved yet.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        # When alerts were reported as firing, in seconds of time.monotonic.
        self._fired: list[tuple[float, AlertRule]] = []
        # The rules of the alerts last reported as firing, by the alerts' fingerprints.
        self._firing: dict[str, AlertRule] = {}

    def fired_at(self, rule: AlertRule, since: float) -> float | None:
        """Return when an alert of a rule was first reported as firing, or None.

        Parameters
        ----------
        rule
            The alert's rule.
        since
            Ignore earlier reports, in seconds of ``time.monotonic``.
        """
        return next((at for at, reported in list(self._fired) if reported == rule and at >= since), None)

    def is_firing(self, rule: AlertRule) -> bool:
        """Return whether an alert of a rule was reported as firing and not yet as resolved."""
        return rule in list(self._firing.values())

    def record(self, message: Mapping[str, Any]) -> None:
        """Record a message in Alertmanager's webhook format.

        Examples
        --------
        >>> received = ReceivedAlerts()
        >>> alert = {"labels": {"alertname": "ServiceDown"}, "fingerprint": "a1", "status": "firing"}
        >>> received.record({"alerts": [alert]})
        >>> received.is_firing(AlertRule("ServiceDown"))
        True
        >>> received.record({"alerts": [alert | {"status": "resolved"}]})
        >>> received.is_firing(AlertRule("ServiceDown"))
        False
        """
        for alert in message["alerts"]:
            if alert["status"] == "firing":
                rule = AlertRule.of_labels(alert["labels"])
                self._firing[alert["fingerprint"]] = rule
                self._fired.append((time.monotonic(), rule))
            else:
                self._firing.pop(alert["fingerprint"], None)
