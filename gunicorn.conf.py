"""Gunicorn's configuration, picked up from this folder by ``gunicorn "app:create_app()"``.

At import time it loads only a few light modules of ours (tests/contract/test_imports.py lists them): if
``prometheus_client`` were imported before the metrics folder exists, metrics would be lost, and workers inherit
whatever the arbiter imports.
"""

import gc
import os
import signal
import sys
from pathlib import Path

from app.db.url import DatabaseAddress
from app.errors import InvalidSetting
from app.server.cpu_quota import allowed_cpus
from app.server.log_config import log_configuration
from app.server.missing_package import explain_missing_package
from app.settings import CONFIGURED_VARIABLE, Settings

try:
    _settings = Settings.from_environ()
    DatabaseAddress(_settings.database_url)  # here, and not when the recorder starts, which nobody watches
except InvalidSetting as error:
    sys.exit(f"isowatch: {error}")

os.environ[CONFIGURED_VARIABLE] = "1"
bind = _settings.bind
workers = _settings.web_concurrency or allowed_cpus()
worker_class = "app.server.worker.FrontWorker"
threads = _settings.worker_threads
timeout = _settings.worker_timeout
graceful_timeout = _settings.graceful_timeout
keepalive = _settings.keepalive
max_requests = _settings.max_requests
# Without jitter, workers that started together would be replaced together.
max_requests_jitter = max_requests // 10
worker_tmp_dir = _settings.worker_tmp_dir if Path(_settings.worker_tmp_dir).is_dir() else None
# The control socket is a file, which Gunicorn cannot create in a read-only container.
control_socket_disable = True

logger_class = "app.server.worker.ErrorsOnlyLogger"
logconfig_dict = log_configuration(_settings.logs_as_text(sys.stderr), _settings.log_level)


# The largest number that a port may have.
_MAX_PORT = 65_535

# The hooks store their state on the arbiter, because this file is executed again on SIGHUP.


def on_starting(server):
    """Claim the metrics folder before any worker exists."""
    from app.errors import IsowatchError
    from app.metrics.directory import FOLDER_VARIABLE, MetricsFolder
    from app.web.hosts import AllowedHosts

    for address in server.cfg.address:
        if isinstance(address, tuple) and address[1] > _MAX_PORT:
            sys.exit(f"isowatch: the port {address[1]} in BIND is not a number from 0 to {_MAX_PORT}.")

    # The workers read BIND to know under which names they answer; --bind on the command line takes precedence.
    os.environ["BIND"] = ",".join(server.cfg.bind)
    hosts = AllowedHosts(Settings.from_environ())
    if hosts.is_wildcard:
        server.log.info("the service answers as %s; to allow further names, set ALLOWED_HOSTS", hosts.describe())

    # An arbiter that replaces a running one (SIGUSR2) inherits the variable, whose folder is still in use.
    replaces_another = "GUNICORN_PID" in os.environ
    try:
        if server.cfg.preload_app:
            raise IsowatchError(
                "Isowatch does not run with --preload: all metrics would be the arbiter's. Start it without."
            )
        server.metrics_folder = MetricsFolder.claim("" if replaces_another else _settings.prometheus_multiproc_dir)
    except IsowatchError as error:
        server.log.error("%s", error)
        sys.exit(1)
    os.environ[FOLDER_VARIABLE] = str(server.metrics_folder.path)
    # Imported only now, because prometheus_client looks for the folder when it is imported.
    try:
        from app.metrics.multiprocess import MetricsArchive
    except ModuleNotFoundError as error:
        sys.exit(f"isowatch: {explain_missing_package(error)}")

    server.metrics_archive = MetricsArchive(server.metrics_folder.path)
    server.metrics_archive.retry_by_alarm()
    server.ended_workers = 0


def when_ready(server):
    """Start the recorder before the workers that publish rows to it."""
    from app.recorder.process import RecorderProcesses

    server.recorder = RecorderProcesses(server.metrics_folder.path)
    server.recorder.ensure_running()


def pre_fork(server, worker):
    """Pass on how many ended workers the new one replaces, and catch up on postponed work."""
    server.recorder.ensure_running()
    server.metrics_archive.fold_postponed()
    worker.replaced_workers, server.ended_workers = server.ended_workers, 0


def post_fork(server, worker):
    """Name the worker's metrics files after its age, which is the number of workers started before it."""
    # The arbiter's handlers are still installed, and would lose a signal to end.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    from app.metrics.metrics_file import name_files_after

    name_files_after(worker.age)
    server.recorder.close_in_worker()


def post_worker_init(worker):
    """Count the workers that this one replaces, and leave what was loaded out of garbage collection."""
    from app.api.service import service_of

    if worker.replaced_workers:
        service_of(worker.wsgi).metrics.record_worker_restarts(worker.replaced_workers)
    # Modules and the model live as long as the worker. Going through them takes 50 ms, in which no request is answered.
    gc.freeze()


def worker_exit(server, worker):
    """Write the worker's last log lines and metrics."""
    from app.api.service import service_of
    from app.metrics.metrics_file import close_files

    if getattr(worker, "wsgi", None) is not None:  # it may have failed to start
        service_of(worker.wsgi).close()
    close_files()
    # Python collects garbage as it ends: for a worker, 0.4 s of processor time in which nothing is gained.
    gc.freeze()


def child_exit(server, worker):
    """Fold the metrics of an ended worker into the archive."""
    server.metrics_archive.fold(worker.age)
    server.ended_workers += 1


def on_exit(server):
    """Stop the recorder after the last worker has ended, and release the metrics folder."""
    server.recorder.stop()
    server.metrics_archive.close()
    server.metrics_folder.release()
    gc.freeze()  # as in worker_exit
