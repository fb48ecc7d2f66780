"""Write the shipped configurations with the addresses and folders of this machine, for ``make monitor``."""

from __future__ import annotations

import http.client
import json
import os
import re
import urllib.request
from pathlib import Path

from scripts.monitor_settings import ROOT, MonitorSettings

NATIVE = ROOT / "monitoring" / "prometheus" / "native.yml"

# Folder of the secrets in the container, which the examples name, and on this machine.
_SECRETS_IN_CONTAINER = "/run/secrets/alertmanager/"
_SECRETS = ROOT / "secrets" / "alertmanager"

# The template of messages that the examples share.
_MESSAGES = "messages.tmpl"

# Optional programs at their usual addresses, each with a metric that only it has, because ports are often reused.
_OPTIONAL = {
    "node": ("127.0.0.1:9100", "node_exporter_build_info"),
    "pushgateway": ("127.0.0.1:9091", "pushgateway_build_info"),
}

# They are on this machine and answer within milliseconds.
_ANSWER_SECONDS = 2

# Without the proxy of the environment, which is for external addresses.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def write_prometheus_configuration(settings: MonitorSettings) -> Path:
    """Write ``native.yml`` with the chosen addresses, and a file of targets for each optional program that answers.

    Returns
    -------
    The file to use; the rules are read from their own folder.
    """
    folder = settings.folder
    rules = os.path.relpath(NATIVE.parent / "rules", folder)
    configuration = replaced(
        NATIVE.read_text(encoding="utf-8"),
        {
            "127.0.0.1:8000": settings.service,
            "127.0.0.1:9090": settings.prometheus,
            "127.0.0.1:9093": settings.alertmanager,
            # Quoted, because a folder may have any name.
            "rules/*.yml": json.dumps(f"{rules}/*.yml", ensure_ascii=False),
        },
    )
    targets = folder / "targets"
    targets.mkdir(exist_ok=True)
    for job, (address, metric) in _OPTIONAL.items():
        file = targets / f"{job}.json"
        if has_metric(address, metric):
            file.write_text(json.dumps([{"targets": [address]}]), encoding="utf-8")
        else:
            file.unlink(missing_ok=True)
    return _written(folder / "prometheus.yml", configuration)


def write_alertmanager_configuration(settings: MonitorSettings) -> Path:
    """Write the chosen configuration with the folder of the secrets; one without secrets is used as it is.

    Returns
    -------
    The file to use.
    """
    chosen = settings.alertmanager_configuration
    text = chosen.read_text(encoding="utf-8")
    if _SECRETS_IN_CONTAINER not in text:
        return chosen
    # Alertmanager looks for the file of messages beside its configuration.
    messages = json.dumps(str(chosen.parent / _MESSAGES), ensure_ascii=False)
    changes = {_SECRETS_IN_CONTAINER: f"{_SECRETS}/", f"[{_MESSAGES}]": f"[{messages}]"}
    return _written(settings.folder / "alertmanager.yml", replaced(text, changes))


def replaced(text: str, replacements: dict[str, str]) -> str:
    """Replace words in one pass, so that none is replaced twice.

    Examples
    --------
    >>> replaced("a: 9090, b: 9093", {"9090": "9093", "9093": "1"})
    'a: 9093, b: 1'
    """
    return re.sub("|".join(map(re.escape, replacements)), lambda found: replacements[found[0]], text)


def has_metric(address: str, metric: str) -> bool:
    """Return whether the metrics at an address include this one."""
    try:
        with _OPENER.open(f"http://{address}/metrics", timeout=_ANSWER_SECONDS) as answer:
            return any(line.startswith(metric.encode()) for line in answer)
    except (OSError, http.client.HTTPException):
        return False


def _written(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path
