"""Grafana's provisioning files are complete, match what Compose mounts, and never change their uids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROVISIONING = ROOT / "monitoring" / "grafana" / "provisioning"

DATA_SOURCE = {
    "type": "object",
    "required": ["name", "uid", "type", "access", "url", "editable", "jsonData"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "type": {"enum": ["prometheus", "alertmanager"]},
        "access": {"const": "proxy"},
        # No variables: they could be unset.
        "url": {"type": "string", "pattern": r"^http://[a-z]+:\d+$"},
        "isDefault": {"type": "boolean"},
        "editable": {"const": False},
        "jsonData": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "httpMethod": {"const": "POST"},
                "prometheusType": {"const": "Prometheus"},
                "timeInterval": {"type": "string", "pattern": r"^\d+s$"},
                "manageAlerts": {"type": "boolean"},
                "alertmanagerUid": {"type": "string"},
                "implementation": {"const": "prometheus"},
                "handleGrafanaManagedAlerts": {"const": False},
            },
        },
    },
}
PROVIDER = {
    "type": "object",
    "required": ["name", "type", "folder", "folderUid", "allowUiUpdates", "disableDeletion", "options"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "orgId": {"const": 1},
        "folder": {"const": "Isowatch"},
        "folderUid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "type": {"const": "file"},
        "disableDeletion": {"type": "boolean"},
        "allowUiUpdates": {"const": False},
        "updateIntervalSeconds": {"type": "integer", "minimum": 11},
        "options": {
            "type": "object",
            "required": ["path"],
            "additionalProperties": False,
            "properties": {"path": {"type": "string", "pattern": "^/"}},
        },
    },
}


def _file_schema(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a file with a list of entries under a key."""
    return {
        "type": "object",
        "required": ["apiVersion", key],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": 1},
            "prune": {"type": "boolean"},
            key: {"type": "array", "minItems": 1, "items": entry},
        },
    }


def _read(kind: str) -> Any:
    """Read the only file of a kind."""
    [path] = (PROVISIONING / kind).glob("*.yml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def data_sources() -> dict[str, dict[str, Any]]:
    """The data sources by uid."""
    return {source["uid"]: source for source in _read("datasources")["datasources"]}


@pytest.fixture
def grafana() -> dict[str, Any]:
    """The Compose service of Grafana."""
    service: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    return service


@pytest.mark.parametrize(
    ("kind", "schema"),
    [("datasources", _file_schema("datasources", DATA_SOURCE)), ("dashboards", _file_schema("providers", PROVIDER))],
)
def test_files_match_the_schema(kind: str, schema: dict[str, Any]):
    """Each file has the keys that Grafana needs, and none that it would silently ignore."""
    jsonschema.validate(_read(kind), schema)


def test_uids_never_change(data_sources: dict[str, dict[str, Any]]):
    """Dashboards and Grafana's database refer to data sources by uid."""
    assert {uid: source["type"] for uid, source in data_sources.items()} == {
        "prometheus": "prometheus",
        "alertmanager": "alertmanager",
    }


def test_prometheus_is_the_default(data_sources: dict[str, dict[str, Any]]):
    """Prometheus is the default data source, and refers to the Alertmanager of its alerts."""
    assert [uid for uid, source in data_sources.items() if source.get("isDefault")] == ["prometheus"]
    assert data_sources["prometheus"]["jsonData"]["alertmanagerUid"] in data_sources


def test_interval_is_the_longest_of_all_jobs(data_sources: dict[str, dict[str, Any]]):
    """A rate over Grafana's default interval has enough samples for every job."""
    prometheus = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    default = prometheus["global"]["scrape_interval"]
    intervals = {job.get("scrape_interval", default) for job in prometheus["scrape_configs"]}

    longest = max(intervals, key=lambda interval: int(interval.removesuffix("s")))
    assert data_sources["prometheus"]["jsonData"]["timeInterval"] == longest


def test_grafana_has_no_alerts():
    """All alerts are defined in Prometheus."""
    assert [path for path in (PROVISIONING / "alerting").rglob("*") if path.name != ".gitkeep"] == []


def test_compose_mounts_what_is_provisioned(grafana: dict[str, Any]):
    """The folders are mounted read-only, where Grafana and the provisioning files expect them."""
    mounts = {target: source for source, target, *_ in (volume.split(":") for volume in grafana["volumes"])}
    [provider] = _read("dashboards")["providers"]

    assert mounts["/etc/grafana/provisioning"] == "./monitoring/grafana/provisioning"
    assert mounts[provider["options"]["path"]] == "./monitoring/grafana/dashboards"
    assert all(volume.endswith(":ro") for volume in grafana["volumes"] if volume.startswith("./"))


def test_home_dashboard_exists(grafana: dict[str, Any]):
    """Grafana's home page is one of the provisioned dashboards."""
    [provider] = _read("dashboards")["providers"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert Path(home).parent == Path(provider["options"]["path"])
    assert (ROOT / "monitoring" / "grafana" / "dashboards" / Path(home).name).is_file()


def test_data_sources_are_services_of_compose(data_sources: dict[str, dict[str, Any]]):
    """Each address refers to a Compose service."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    for source in data_sources.values():
        assert source["url"].removeprefix("http://").partition(":")[0] in services
