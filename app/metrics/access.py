"""Metrics of API keys: who uses the service, and which requests are refused because of their key."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

NO_KEY, WRONG_KEY, TOO_MANY, NO_ROLE = "missing", "wrong", "too_many_wrong", "without_role"
REFUSALS = (NO_KEY, WRONG_KEY, TOO_MANY, NO_ROLE)


class AccessMetrics:
    """Counts requests by the holder of their key.

    Parameters
    ----------
    registry
        Where the metrics are registered.

    Examples
    --------
    >>> metrics = AccessMetrics(registry := CollectorRegistry())
    >>> metrics.record_caller("fraud-desk", "labeller")
    >>> registry.get_sample_value("api_key_requests_total", {"caller": "fraud-desk", "role": "labeller"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._callers = Counter(
            "api_key_requests_total",
            "Allowed requests with an API key, by the name of its holder and the role that the route needs.",
            ("caller", "role"),
            registry=registry,
        )
        refused = Counter(
            "api_key_refused_requests_total",
            "Requests that were refused because of their API key.",
            ("reason",),
            registry=registry,
        )
        self._refused = {reason: refused.labels(reason) for reason in REFUSALS}

    def record_caller(self, name: str, role: str) -> None:
        """Count a request; ``name`` comes from a key file, so there are few."""
        self._callers.labels(name, role).inc()

    def record_refused(self, reason: str) -> None:
        """Count a request that was refused for one of ``REFUSALS``."""
        self._refused[reason].inc()
