"""The metrics of explained alarms: which columns drive them, and how many could be explained."""

from __future__ import annotations

from collections import Counter as Totals
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter

# A picture with more lines cannot be read.
MAX_NAMED_FEATURES = 10

# The name under which all further features are counted; a feature of that name is among them.
OTHER_FEATURES = "other"

# Why an alarm has an explanation or none: no time was left for it; its model is not loaded here, or not any more;
# its bundle has an old format; or a bug.
EXPLAINED, SKIPPED, UNKNOWN_MODEL, IMPOSSIBLE, FAILED = "explained", "skipped", "unknown_model", "impossible", "failed"
RESULTS = (EXPLAINED, SKIPPED, UNKNOWN_MODEL, IMPOSSIBLE, FAILED)


class AlarmMetrics:
    """The metrics of explained alarms. The recorder alone writes them.

    Parameters
    ----------
    registry
        Where the metrics are registered.

    Examples
    --------
    >>> metrics = AlarmMetrics(registry := CollectorRegistry())
    >>> metrics.follow(["mean", "sd"])
    >>> metrics.record_explained([{"mean": -0.1, "sd": 0.6}, {"mean": 0.1, "sd": 0.4}])
    >>> registry.get_sample_value("alarm_contribution_total", {"feature_name": "sd"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._contributions = Counter(
            "alarm_contribution",
            "Sum over alarms of the positive contributions of a feature, which made them abnormal; by the ten features "
            "with most since the model went live, and all others together.",
            ("feature_name",),
            registry=registry,
        )
        self._contributions.labels(OTHER_FEATURES)
        self._explanations = Counter(
            "alarm_explanations", "Alarms that were explained or not, by result.", ("result",), registry=registry
        )
        for result in RESULTS:
            self._explanations.labels(result)
        self._totals: Totals[str] = Totals()

    def follow(self, names: Sequence[str]) -> None:
        """Start to count anew for the features of another model."""
        self._totals = Totals()
        if len(names) <= MAX_NAMED_FEATURES:
            for name in names:
                self._contributions.labels(name)

    def record_explained(self, alarms: Sequence[Mapping[str, float]]) -> None:
        """Count alarms by their contributions; negative ones, which speak for an inlier, count nothing."""
        self.record_result(EXPLAINED, len(alarms))
        added: Totals[str] = Totals()
        for contributions in alarms:
            for name, contribution in contributions.items():
                added[name] += max(0.0, contribution)  # type: ignore[assignment]  # typeshed expects whole numbers
        self._totals.update(added)
        named = {name for name, _ in self._totals.most_common(MAX_NAMED_FEATURES)}
        for name, total in added.items():
            self._contributions.labels(name if name in named else OTHER_FEATURES).inc(total)

    def record_result(self, result: str, n_alarms: int) -> None:
        """Count alarms by one of ``RESULTS``."""
        self._explanations.labels(result).inc(n_alarms)
