"""Derive the drill's Prometheus and Alertmanager configurations from the shipped ones."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from loadtest.drill.alert_rules import read_rule_files
from loadtest.drill.changed_thresholds import LEAST_RANGES, expressions
from loadtest.drill.programs import ROOT
from loadtest.drill.time_scaling import TimeScaling

_PROMETHEUS = ROOT / "monitoring" / "prometheus"
RULES = _PROMETHEUS / "rules"
_ALERTMANAGER = ROOT / "monitoring" / "alertmanager" / "alertmanager.yml"

# A second is enough for alerts of the same name to be grouped, and short compared with the drill's alerts.
_GROUP_WAIT, _GROUP_INTERVAL = "1s", "2s"

# Only Watchdog lasts long enough to be repeated.
_REPEAT_INTERVAL = "8s"


def prometheus_configuration(
    shipped: Mapping[str, Any], targets: Mapping[str, Sequence[str]], alertmanager: str, scrape_seconds: float
) -> dict[str, Any]:
    """Return Prometheus's configuration.

    Parameters
    ----------
    shipped
        The content of ``native.yml``.
    targets
        Addresses by job; jobs without any are left out.
    alertmanager
        ``host:port`` of Alertmanager.
    scrape_seconds
        Interval of scrapes and evaluations.
    """
    interval = f"{scrape_seconds * 1000:.0f}ms"
    jobs = []
    for shipped_job in shipped["scrape_configs"]:
        name = shipped_job["job_name"]
        if not targets.get(name):
            continue
        job = {key: value for key, value in shipped_job.items() if not key.endswith("_sd_configs")}
        job |= {"scrape_interval": interval, "scrape_timeout": interval}
        jobs.append(job | {"static_configs": [{"targets": list(targets[name])}]})
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": shipped["rule_files"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": jobs,
    }


def alertmanager_configuration(shipped: Mapping[str, Any], sink_url: str) -> dict[str, Any]:
    """Return Alertmanager's configuration: every receiver is a path of the webhook, with short waits.

    Mute times and inhibitions are left out, so that each alert is delivered at any hour and whatever else is firing.

    Parameters
    ----------
    shipped
        The content of ``alertmanager.yml``.
    sink_url
        URL of the webhook, without a trailing slash.
    """
    route = copy.deepcopy(shipped["route"])
    for part in (route, *route["routes"]):
        part |= {"group_wait": _GROUP_WAIT, "group_interval": _GROUP_INTERVAL, "repeat_interval": _REPEAT_INTERVAL}
        part.pop("mute_time_intervals", None)
    names = [receiver["name"] for receiver in shipped["receivers"]]
    return {
        "route": route,
        "receivers": [{"name": name, "webhook_configs": [{"url": f"{sink_url}/{name}"}]} for name in names],
    }


def write_prometheus_files(
    folder: Path, targets: Mapping[str, Sequence[str]], alertmanager: str, scaling: TimeScaling
) -> Path:
    """Write Prometheus's configuration and its rules into a folder.

    Returns
    -------
    Path of the configuration.
    """
    rules = folder / "rules"
    rules.mkdir()
    for name, shipped in read_rule_files(RULES).items():
        _write(rules / name, scaling.rules(shipped, expressions(), LEAST_RANGES))
    shipped = yaml.safe_load((_PROMETHEUS / "native.yml").read_text(encoding="utf-8"))
    configuration = prometheus_configuration(shipped, targets, alertmanager, scaling.scrape_seconds)
    return _write(folder / "prometheus.yml", configuration)


def write_alertmanager_file(folder: Path, sink_url: str) -> Path:
    """Write Alertmanager's configuration into a folder and return its path."""
    shipped = yaml.safe_load(_ALERTMANAGER.read_text(encoding="utf-8"))
    return _write(folder / "alertmanager.yml", alertmanager_configuration(shipped, sink_url))


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    """Write YAML and return the path."""
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path
