"""Wires the service: settings, metrics, model, web behaviour, routes. Everything else lives in its own file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from app import metrics_folder
from app.metrics import ServiceMetrics
from app.model.bundle import Bundle
from app.model.current_model import CurrentModel
from app.model.shared_notes import SharedNotes
from app.periodic_jobs import PeriodicJobs
from app.process_usage import ProcessUsage, memory_limit_bytes, service_root_pid
from app.recorder.hand_over import RECONNECT_SECONDS, HandOver, NoHandOver
from app.routes.audit import audit
from app.routes.drift import drift
from app.routes.express_prediction import ExpressPrediction
from app.routes.feedback import feedback
from app.routes.health import health
from app.routes.metrics import metrics as metrics_route
from app.routes.model_information import model_information
from app.routes.open_inference import OPEN_INFERENCE
from app.routes.page import page
from app.routes.prediction import prediction
from app.routes.predictions import predictions
from app.routes.quality import quality
from app.routes.recorded_prediction import recorded_prediction
from app.routes.records_access import RecordsAccess
from app.routes.service_parts import ServiceParts
from app.settings import Settings
from app.web.api_keys import ApiKeys
from app.web.docs_page import register_docs
from app.web.envelope import put_in_envelope
from app.web.error_answers import register_error_answers
from app.web.http_metrics import MetricsRegistry, register_http_metrics
from app.web.json_bodies import StrictJSONProvider
from app.web.request_log import FLUSH_SECONDS, NoRequestLog, RequestLog
from app.web.security_headers import protect_pages
from app.web.synchronous_flask import SynchronousFlask

# Half of the two seconds within which a new model must be noticed.
_LOOK_FOR_MODEL_SECONDS = 1.0

# Prometheus commonly scrapes every 15 s; measuring more often would be work that nobody sees.
_MEASURE_USAGE_SECONDS = 15.0


def build_service(settings: Settings | None = None) -> Flask:
    """Build a service; see ``app.create_app``."""
    settings = settings or Settings.from_environ()
    app = SynchronousFlask(
        "app",
        root_path=str(Path(__file__).parent),
        template_folder="web/templates",
        static_folder="web/static",
    )
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json = StrictJSONProvider(app)
    registry = MetricsRegistry()
    metrics = ServiceMetrics(registry)
    folder = metrics_folder.folder_of_workers()
    notes = SharedNotes(folder)
    model = CurrentModel(Path(settings.model_dir), _on_swapped(metrics), metrics.record_refused_bundle, notes)
    recorder = HandOver(folder, metrics) if folder else NoHandOver()
    jobs = PeriodicJobs()
    log = RequestLog(settings.logs_as_text(sys.stderr)) if settings.log_requests else NoRequestLog()
    records, keys = RecordsAccess(settings), ApiKeys(settings.feedback_api_keys_file)
    parts = ServiceParts(settings, metrics, model, recorder, jobs, log, records, keys)
    parts.attach(app)

    register_error_answers(app)
    for blueprint in (
        prediction,
        predictions,
        feedback,
        recorded_prediction,
        audit,
        model_information,
        drift,
        quality,
        health,
        metrics_route,
        *OPEN_INFERENCE,
        page,
    ):
        app.register_blueprint(blueprint)
    register_docs(app, lambda: model.features, settings.max_batch_rows)
    express = register_http_metrics(app, registry)
    protect_pages(app)
    app.wsgi_app = ExpressPrediction(app.wsgi_app, parts)  # type: ignore[method-assign]
    put_in_envelope(app, metrics, express, log)

    model.refresh()
    jobs.add(model.refresh, _LOOK_FOR_MODEL_SECONDS)
    jobs.add(_usage_job(metrics), _MEASURE_USAGE_SECONDS)
    jobs.add(recorder.reconnect, RECONNECT_SECONDS)
    jobs.add(log.flush, FLUSH_SECONDS)
    jobs.start()
    return app


def _on_swapped(metrics: ServiceMetrics) -> Callable[[Bundle | None, Bundle], None]:
    """Say in the metrics which model is live."""

    def record(before: Bundle | None, now: Bundle) -> None:
        if before is not None:
            metrics.record_swap()
            metrics.record_retired_model(before.name, before.version)
        training = now.manifest["training"]
        metrics.record_live_model(
            now.name, now.version, time.time(), now.trained_at.timestamp(), training["flagged_share"]
        )

    return record


def _usage_job(metrics: ServiceMetrics) -> Callable[[], None]:
    """Say when the service was started; measure all its processes now and whenever the job runs."""
    usage = ProcessUsage(service_root_pid(has_arbiter=metrics_folder.folder_of_workers() is not None))
    metrics.record_start(usage.started_at())

    def measure() -> None:
        metrics.record_usage(usage.memory_bytes(), memory_limit_bytes(), usage.cpu_percent())

    measure()
    return measure
