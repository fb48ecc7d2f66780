"""The configurations that `make monitor` derives from the shipped ones."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest
import yaml

from scripts import monitor_configuration
from scripts.monitor_configuration import write_alertmanager_configuration, write_prometheus_configuration
from scripts.monitor_settings import MonitorSettings

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "monitoring" / "prometheus"


@pytest.fixture
def settings(tmp_path):
    """Return settings whose addresses are each other's defaults, so that replacing one twice would show."""
    return MonitorSettings(
        service="127.0.0.1:9090",
        prometheus="127.0.0.1:9093",
        alertmanager="127.0.0.1:8000",
        alertmanager_configuration=ROOT / "monitoring/alertmanager/examples/slack.yml",
        folder=tmp_path,
    )


def jobs(path):
    """Return the jobs of a configuration by name."""
    return {job["job_name"]: job for job in yaml.safe_load(path.read_text())["scrape_configs"]}


def targets(job):
    """Return the addresses that a job scrapes."""
    return job["static_configs"][0]["targets"]


@pytest.fixture
def metrics_page():
    """Return a function that serves a page of metrics on a free port and returns the address."""
    servers = []

    def serve(text):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments):
                """Log nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_addresses_follow_the_settings(settings):
    """Of every job, and of the Alertmanager that alerts are sent to."""
    path = write_prometheus_configuration(settings)

    configuration = yaml.safe_load(path.read_text())
    assert targets(jobs(path)["service"]) == ["127.0.0.1:9090"]
    assert targets(jobs(path)["prometheus"]) == ["127.0.0.1:9093"]
    assert targets(jobs(path)["alertmanager"]) == ["127.0.0.1:8000"]
    assert configuration["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:8000"]


def test_rules_are_the_shipped_ones(settings):
    """The configuration finds exactly the shipped rule files and none of their tests."""
    path = write_prometheus_configuration(settings)

    [pattern] = yaml.safe_load(path.read_text())["rule_files"]
    found = {file.resolve() for file in path.parent.glob(pattern)}
    assert found == set((PROMETHEUS / "rules").glob("*.yml")) != set()


def test_jobs_match_those_of_compose():
    """Rules and dashboards use their names, so names and options must be equal in native.yml and prometheus.yml."""
    native, compose = jobs(PROMETHEUS / "native.yml"), jobs(PROMETHEUS / "prometheus.yml")

    # Without containers, there is neither cAdvisor nor Caddy.
    assert set(native) == set(compose) - {"cadvisor", "caddy", "door"}
    for name, job in native.items():
        for key in ("scrape_interval", "scrape_timeout", "honor_labels", "metrics_path"):
            assert job.get(key) == compose[name].get(key), (name, key)


def test_optional_program_is_scraped_while_it_runs(settings, metrics_page, monkeypatch):
    """A running node_exporter becomes a target; if it is gone at the next start, the target is removed."""
    address = metrics_page('# HELP node_exporter_build_info x\nnode_exporter_build_info{version="1.12.1"} 1\n')
    monkeypatch.setattr(monitor_configuration, "_OPTIONAL", {"node": (address, "node_exporter_build_info")})
    [file] = jobs(PROMETHEUS / "native.yml")["node"]["file_sd_configs"][0]["files"]

    write_prometheus_configuration(settings)
    assert json.loads((settings.folder / file).read_text()) == [{"targets": [address]}]

    monkeypatch.setattr(monitor_configuration, "_OPTIONAL", {"node": ("127.0.0.1:9", "node_exporter_build_info")})
    write_prometheus_configuration(settings)
    assert not (settings.folder / file).exists()


def test_other_program_on_the_usual_port_is_not_scraped(settings, metrics_page, monkeypatch):
    """Many programs use the port of the Pushgateway."""
    address = metrics_page("something_else 1\n")
    monkeypatch.setattr(monitor_configuration, "_OPTIONAL", {"pushgateway": (address, "pushgateway_build_info")})

    write_prometheus_configuration(settings)

    assert not (settings.folder / "targets" / "pushgateway.json").exists()


def test_secrets_are_read_from_the_folder_that_compose_mounts(settings):
    """An example that refers to a secret in a container works without one."""
    path = write_alertmanager_configuration(settings)

    [message] = yaml.safe_load(path.read_text())["receivers"][0]["slack_configs"]
    assert message["api_url_file"] == f"{ROOT}/secrets/alertmanager/slack_url"
    assert path.parent == settings.folder


def test_configuration_without_secrets_is_used_in_place(settings, tmp_path):
    """Templates next to a user's own configuration are still found."""
    own = tmp_path / "own.yml"
    own.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")

    chosen = MonitorSettings(**vars(settings) | {"alertmanager_configuration": own})

    assert write_alertmanager_configuration(chosen) == own
