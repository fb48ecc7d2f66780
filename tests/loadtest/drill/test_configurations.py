"""The drill's configurations are derived from the shipped ones."""

import subprocess

import pytest
import yaml

from loadtest.drill.configurations import (
    RULES,
    alertmanager_configuration,
    prometheus_configuration,
    write_alertmanager_file,
    write_prometheus_files,
)
from loadtest.drill.programs import ROOT
from loadtest.drill.time_scaling import TimeScaling

SHIPPED_ALERTMANAGER = yaml.safe_load((ROOT / "monitoring/alertmanager/alertmanager.yml").read_text())
SHIPPED_PROMETHEUS = yaml.safe_load((ROOT / "monitoring/prometheus/native.yml").read_text())
TARGETS = {"service": ["127.0.0.1:1", "127.0.0.1:2"], "prometheus": ["127.0.0.1:3"], "pushgateway": ["127.0.0.1:4"]}


def test_each_receiver_is_a_path_of_the_webhook():
    """Every shipped receiver is kept, as a webhook."""
    derived = alertmanager_configuration(SHIPPED_ALERTMANAGER, "http://127.0.0.1:9")
    assert derived["receivers"] == [
        {"name": receiver["name"], "webhook_configs": [{"url": f"http://127.0.0.1:9/{receiver['name']}"}]}
        for receiver in SHIPPED_ALERTMANAGER["receivers"]
    ]


def test_routes_match_the_shipped_ones_and_nothing_is_muted():
    """Matchers, receivers and grouping are unchanged; only waits and mute times differ."""
    derived = alertmanager_configuration(SHIPPED_ALERTMANAGER, "http://127.0.0.1:9")
    route, shipped = derived["route"], SHIPPED_ALERTMANAGER["route"]
    assert route["group_by"] == shipped["group_by"]
    for part, shipped_part in zip((route, *route["routes"]), (shipped, *shipped["routes"]), strict=True):
        assert part["receiver"] == shipped_part["receiver"]
        assert part.get("matchers") == shipped_part.get("matchers")
        assert "mute_time_intervals" not in part
    assert "inhibit_rules" not in derived


def test_jobs_keep_their_names_and_have_the_drills_targets():
    """Jobs without targets are left out; `honor_labels` of the Pushgateway job is kept."""
    derived = prometheus_configuration(SHIPPED_PROMETHEUS, TARGETS, "127.0.0.1:5", 2)
    jobs = {job["job_name"]: job for job in derived["scrape_configs"]}
    assert {name: job["static_configs"] for name, job in jobs.items()} == {
        name: [{"targets": addresses}] for name, addresses in TARGETS.items()
    }
    assert all("file_sd_configs" not in job for job in jobs.values())
    assert jobs["pushgateway"]["honor_labels"]
    assert {job["scrape_interval"] for job in jobs.values()} == {"2000ms"}


@pytest.mark.parametrize("factor", [1, 1000])
def test_prometheus_and_alertmanager_accept_the_configurations(tmp_path, require_program, factor):
    """Promtool and amtool find no errors, and every rule file is there."""
    promtool, amtool = require_program("promtool"), require_program("amtool")
    written = write_prometheus_files(tmp_path, TARGETS, "127.0.0.1:5", TimeScaling(factor, 2))
    commands = (
        [promtool, "check", "config", written],
        [amtool, "check-config", write_alertmanager_file(tmp_path, "http://127.0.0.1:9")],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "rules").iterdir())) == len(list(RULES.glob("*.yml")))
