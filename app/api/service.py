"""What every route needs of the service that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from app.api.records_access import RecordsAccess
from app.metrics.service import ServiceMetrics
from app.model.live_model import LiveModel
from app.recorder.client import RecorderClient
from app.server.scheduler import PeriodicJobs
from app.settings import Settings
from app.web.access_log import RequestLog
from app.web.auth import ApiKeys

_EXTENSION = "isowatch"


@dataclass(frozen=True)
class Service:
    """The parts of one service; two services in one process (in tests) have each their own."""

    settings: Settings
    metrics: ServiceMetrics
    model: LiveModel
    recorder: RecorderClient
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


def service_of(app: Flask) -> Service:
    """Give the parts of a service."""
    parts: Service = app.extensions[_EXTENSION]
    return parts


def service() -> Service:
    """Give the parts of the service that is answering."""
    return service_of(current_app)
