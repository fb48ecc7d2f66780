"""The list of dashboards; add new ones here."""

from __future__ import annotations

from collections.abc import Callable

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards import at_a_glance, containers, drift, predictions, quality, service, training

# By file name, without ".json".
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "at_a_glance": at_a_glance.build,
    "service": service.build,
    "predictions": predictions.build,
    "drift": drift.build,
    "quality": quality.build,
    "training": training.build,
    "containers": containers.build,
}
