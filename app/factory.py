"""Build the service: wire settings, metrics, model, recorder, middleware and routes."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from app.api.access import install_access
from app.api.alarms import alarms
from app.api.audit import audit
from app.api.docs import register_docs
from app.api.drift import drift
from app.api.fast_path import FastPath
from app.api.feedback import feedback
from app.api.health import health
from app.api.metrics import metrics as metrics_route
from app.api.mlflow import mlflow
from app.api.model_information import model_information
from app.api.models import models
from app.api.operation import (
    LimitedRequest,
    body_limits,
    refuse_body_fields_in_query,
    refuse_long_bodies,
    statuses_by_endpoint,
)
from app.api.overview import overview
from app.api.prediction import prediction
from app.api.predictions import predictions
from app.api.quality import quality
from app.api.records import recorded_prediction
from app.api.records_access import RecordsAccess
from app.api.service import Service
from app.api.session import session
from app.api.thresholds import thresholds
from app.api.timeline import timeline
from app.api.v2.health import protocol_health
from app.api.v2.infer import infer_route
from app.api.v2.metadata import protocol_metadata
from app.console.views import console, install_console, links
from app.metrics import directory
from app.metrics.http import MetricsRegistry, register_http_metrics
from app.metrics.live_versions import mark_live
from app.metrics.service import ServiceMetrics
from app.model.bundle import Bundle
from app.model.live_model import LiveModel
from app.model.worker_sync import WorkerSync
from app.recorder.client import RECONNECT_SECONDS, RecorderClient
from app.server.client_address import TrustedProxies
from app.server.process_stats import ProcessUsage, memory_limit_bytes, service_root_pid
from app.server.scheduler import PeriodicJobs
from app.settings import CONFIGURED_VARIABLE, Settings
from app.web.access_log import FLUSH_SECONDS, RequestLog
from app.web.auth import ApiKeys
from app.web.codecs import StrictJSONProvider
from app.web.headers import protect_docs
from app.web.hosts import AllowedHosts, has_only_unix_sockets
from app.web.middleware import install_middleware
from app.web.problems import register_error_handlers
from app.web.session import Sessions, read_secret

log = logging.getLogger(__name__)

# A new model must be live within two seconds; this is half of that.
_CHECK_MODEL_SECONDS = 1.0

# Prometheus commonly scrapes every 15 s, so more frequent measurements would not be seen.
_MEASURE_USAGE_SECONDS = 15.0

# How long a model was live need only be known to the minute.
_MARK_LIVE_SECONDS = 60.0

# The order of the routes in the OpenAPI document.
_BLUEPRINTS = (
    prediction,
    predictions,
    mlflow,
    feedback,
    recorded_prediction,
    alarms,
    audit,
    model_information,
    drift,
    quality,
    thresholds,
    models,
    timeline,
    overview,
    health,
    metrics_route,
    protocol_metadata,
    protocol_health,
    infer_route,
)


class IsowatchFlask(Flask):
    """Flask, with what the worker answers without it."""

    fast_path: FastPath


def build_service(settings: Settings | None = None) -> Flask:
    """Build a service; see ``app.create_app``."""
    settings = settings or Settings.from_environ()
    app = IsowatchFlask(
        "app",
        root_path=str(Path(__file__).parent),
        template_folder="web/templates",
        static_folder="web/static",
    )
    app.request_class = LimitedRequest
    app.url_map.strict_slashes = False  # /prediction/ is /prediction: clients would turn a redirected POST into a GET
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json = StrictJSONProvider(app)
    registry = MetricsRegistry()
    metrics = ServiceMetrics(registry)
    metrics.record_monthly_cost(settings.replica_monthly_cost, settings.currency)
    folder = directory.folder_of_workers()
    on_swapped, on_refused = _on_swapped(metrics, folder), metrics.record_refused_bundle
    model = LiveModel(Path(settings.model_dir), on_swapped, on_refused, WorkerSync(folder))
    keeps_rows = settings.record_predictions > 0
    recorder = RecorderClient(folder, metrics, keeps_rows=keeps_rows) if folder else None
    jobs = PeriodicJobs()
    requests = RequestLog(settings.logs_as_text(sys.stderr)) if settings.log_requests else None
    proxies = TrustedProxies(settings.trusted_proxies)
    sessions = _make_sessions(settings, folder)
    keys = ApiKeys(
        settings.api_keys_file,
        settings.feedback_api_keys_file,
        proxies,
        has_only_unix_sockets=has_only_unix_sockets(settings.bind),
        salt=sessions.salt if sessions else None,
    )
    records, hosts = RecordsAccess(settings), AllowedHosts(settings)
    parts = Service(
        settings, metrics, model, recorder, jobs, requests, records, keys, hosts, _find_warnings(), sessions
    )
    parts.attach(app)

    register_error_handlers(app)
    for blueprint in (*_BLUEPRINTS, *((session, console) if settings.console else (links,))):
        app.register_blueprint(blueprint)
    register_docs(app, lambda: model.features, settings.max_batch_rows)
    http = register_http_metrics(app, registry, statuses_by_endpoint(app))
    app.fast_path = FastPath(parts, http, body_limits(app, settings))
    install_access(app)
    app.before_request(refuse_long_bodies)
    app.before_request(refuse_body_fields_in_query)
    protect_docs(app)
    if settings.console:
        install_console(app)
    install_middleware(app, metrics, requests)

    model.refresh()
    jobs.add(model.refresh, _CHECK_MODEL_SECONDS)
    jobs.add(_usage_job(metrics), _MEASURE_USAGE_SECONDS)
    if recorder is not None:
        jobs.add(lambda: mark_live(folder, model.version), _MARK_LIVE_SECONDS)
        jobs.add(recorder.reconnect, RECONNECT_SECONDS)
    if requests is not None:
        jobs.add(requests.flush, FLUSH_SECONDS)
    jobs.start()
    return app


def _make_sessions(settings: Settings, folder: Path | None) -> Sessions | None:
    """Return what signs and reads the cookies of browsers; None if there is nothing to sign in with."""
    if not settings.console or not (settings.api_keys_file or settings.feedback_api_keys_file):
        return None
    folders = [Path(settings.state_dir), *([folder] if folder else [])]
    shared = Path(settings.session_secret_file) if settings.session_secret_file else None
    return Sessions(read_secret(folders, shared), settings.session_hours)


def _find_warnings() -> tuple[str, ...]:
    """Return, and log, what does not work because Gunicorn did not find our configuration."""
    if "gunicorn" not in os.environ.get("SERVER_SOFTWARE", "") or CONFIGURED_VARIABLE in os.environ:
        return ()
    configuration = Path(__file__).parent.parent / "gunicorn.conf.py"
    warning = (
        "Gunicorn runs without Isowatch's gunicorn.conf.py: nothing is recorded, drift is not monitored, slow "
        f"clients can stop the service, and /metrics describes one worker only. Start it with --config {configuration}"
    )
    log.warning("%s", warning)
    return (warning,)


def _on_swapped(metrics: ServiceMetrics, folder: Path | None) -> Callable[[Bundle | None, Bundle], None]:
    """Return a callback that records which model is live."""

    def record(before: Bundle | None, now: Bundle) -> None:
        mark_live(folder, now.version)  # first, so that its metrics are never hidden
        if before is not None:
            mark_live(folder, before.version)
            metrics.record_swap()
            metrics.record_retired_model(before.name, before.version)
        training = now.manifest["training"]
        metrics.record_live_model(
            now.name, now.version, time.time(), now.trained_at.timestamp(), training["flagged_share"]
        )
        metrics.unfamiliar.follow(now)

    return record


def _usage_job(metrics: ServiceMetrics) -> Callable[[], None]:
    """Record when the service was started, measure its processes now, and return a job that measures them again."""
    usage = ProcessUsage(service_root_pid(has_arbiter=directory.folder_of_workers() is not None))
    metrics.record_start(usage.started_at())

    def measure() -> None:
        metrics.record_usage(usage.memory_bytes(), memory_limit_bytes(), usage.cpu_percent())

    measure()
    return measure
