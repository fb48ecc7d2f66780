"""What a receiver of Alertmanager's messages knows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from loadtest.drill.alert_rules import AlertRule


class HeardAlerts:
    """Which alerts were told to fire, and which of them are not over yet, as far as was heard.

    Threads may hear and ask at the same time.
    """

    def __init__(self) -> None:
        # When alerts were told to fire, in seconds of time.monotonic.
        self._fired: list[tuple[float, AlertRule]] = []
        # The rules of the alerts that were last told to fire, by the alerts' fingerprints.
        self._firing: dict[str, AlertRule] = {}

    def fired_at(self, rule: AlertRule, since: float) -> float | None:
        """Tell when an alert of a rule was first told to fire.

        Parameters
        ----------
        rule
            What is looked for.
        since
            The earliest time that counts, in seconds of ``time.monotonic``.
        """
        return next((at for at, told in list(self._fired) if told == rule and at >= since), None)

    def believes_in(self, rule: AlertRule) -> bool:
        """Tell whether an alert of a rule was told to fire, and not yet that it is over."""
        return rule in list(self._firing.values())

    def take(self, message: Mapping[str, Any]) -> None:
        """Keep what a message of Alertmanager's webhook format tells.

        Examples
        --------
        >>> heard = HeardAlerts()
        >>> alert = {"labels": {"alertname": "ServiceDown"}, "fingerprint": "a1", "status": "firing"}
        >>> heard.take({"alerts": [alert]})
        >>> heard.believes_in(AlertRule("ServiceDown"))
        True
        >>> heard.take({"alerts": [alert | {"status": "resolved"}]})
        >>> heard.believes_in(AlertRule("ServiceDown"))
        False
        """
        for alert in message["alerts"]:
            if alert["status"] == "firing":
                rule = AlertRule.of_labels(alert["labels"])
                self._firing[alert["fingerprint"]] = rule
                self._fired.append((time.monotonic(), rule))
            else:
                self._firing.pop(alert["fingerprint"], None)
