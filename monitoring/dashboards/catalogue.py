"""The dashboards that there are; a new one is a line here."""

from __future__ import annotations

from collections.abc import Callable

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards import at_a_glance, containers, drift, predictions, quality, service, training

# By the name of the file that Grafana reads.
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "at_a_glance": at_a_glance.build,
    "service": service.build,
    "predictions": predictions.build,
    "drift": drift.build,
    "quality": quality.build,
    "training": training.build,
    "containers": containers.build,
}
