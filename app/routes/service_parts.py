"""What every route needs of the service that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from app.metrics import ServiceMetrics
from app.model.current_model import CurrentModel
from app.periodic_jobs import PeriodicJobs
from app.recorder.hand_over import HandOver
from app.routes.records_access import RecordsAccess
from app.settings import Settings
from app.web.api_keys import ApiKeys
from app.web.request_log import RequestLog

_EXTENSION = "isowatch"


@dataclass(frozen=True)
class ServiceParts:
    """The parts of one service; two services in one process (in tests) have each their own."""

    settings: Settings
    metrics: ServiceMetrics
    model: CurrentModel
    recorder: HandOver
    jobs: PeriodicJobs
    log: RequestLog
    records: RecordsAccess
    keys: ApiKeys

    def close(self) -> None:
        """End what runs in the background, and write the last log lines."""
        self.jobs.stop()
        self.recorder.close()
        self.records.close()
        self.log.flush()

    def attach(self, app: Flask) -> None:
        """Make these the parts of ``app``."""
        app.extensions[_EXTENSION] = self


def parts_of(app: Flask) -> ServiceParts:
    """Give the parts of a service."""
    parts: ServiceParts = app.extensions[_EXTENSION]
    return parts


def service() -> ServiceParts:
    """Give the parts of the service that is answering."""
    return parts_of(current_app)
