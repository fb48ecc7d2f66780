"""Run a real Prometheus with the shipped rules on a free local port."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.system.running_service import REPOSITORY, free_port, wait_until

SHIPPED = REPOSITORY / "monitoring" / "prometheus"
STOP_SECONDS = 30


class RunningPrometheus:
    """A running Prometheus and its HTTP API.

    Parameters
    ----------
    address
        Base URL, such as ``http://127.0.0.1:9090``.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate an expression now; return one entry per series."""
        return self._result("query", query=expression)

    def query_range(self, expression: str, begin: float, end: float, step_seconds: float) -> list[dict[str, Any]]:
        """Evaluate an expression from ``begin`` to ``end``, in seconds since 1970."""
        return self._result("query_range", query=expression, start=begin, end=end, step=step_seconds)

    def values(self, expression: str) -> list[float]:
        """Return the current values of all series, including NaN."""
        return [float(series["value"][1]) for series in self.query(expression)]

    def is_ready(self) -> bool:
        """Return whether it is ready to answer queries."""
        try:
            return self._session.get(f"{self.address}/-/ready", timeout=10).status_code == 200
        except requests.ConnectionError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _result(self, api: str, **parameters: Any) -> list[dict[str, Any]]:
        """Call the API and return the result; fail if Prometheus rejects the query."""
        answer = self._session.post(f"{self.address}/api/v1/{api}", data=parameters, timeout=30).json()
        assert answer["status"] == "success", f"{parameters['query']}: {answer.get('error')}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


@contextmanager
def start_prometheus(
    folder: Path, program: Path, targets: Mapping[str, str], interval: str | None = None
) -> Iterator[RunningPrometheus]:
    """Start Prometheus with the shipped jobs and rules, and stop it after the block.

    ``targets`` maps jobs to their local targets; other jobs are left out. ``interval`` shortens the scrape and
    evaluation intervals, so that a test has its samples soon.
    """
    port = free_port()
    configuration = folder / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(_shipped_jobs(targets, interval)), encoding="utf-8")
    (folder / "rules").mkdir()
    for rules in SHIPPED.glob("rules/*.yml"):
        (folder / "rules" / rules.name).write_text(_with_interval(rules.read_text(encoding="utf-8"), interval))
    log = folder / "prometheus.log"
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'prometheus_data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log_file,
            stderr=log_file,
        )
    prometheus = RunningPrometheus(f"http://127.0.0.1:{port}")
    try:
        wait_until(prometheus.is_ready, f"Prometheus; its log is {log}")
        yield prometheus
    finally:
        prometheus.close()
        process.terminate()
        process.wait(STOP_SECONDS)


def _shipped_jobs(targets: Mapping[str, str], interval: str | None) -> dict[str, Any]:
    """Return the shipped configuration with targets on this machine instead of those in Compose."""
    shipped: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text(encoding="utf-8"))
    # Alerts of a test must not be sent to anybody.
    del shipped["alerting"]
    jobs = []
    for job in shipped["scrape_configs"]:
        if job["job_name"] not in targets:
            continue
        kept = {name: value for name, value in job.items() if not name.endswith("_sd_configs")}
        kept["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
        if interval:
            kept |= {"scrape_interval": interval, "scrape_timeout": interval}
        jobs.append(kept)
    if interval:
        shipped["global"] = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    return shipped | {"scrape_configs": jobs}


def _with_interval(rules: str, interval: str | None) -> str:
    """Replace the intervals of groups that are evaluated less often than others."""
    return re.sub(r"^    interval: \S+$", f"    interval: {interval}", rules, flags=re.MULTILINE) if interval else rules
