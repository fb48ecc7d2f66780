"""What Grafana is told at its start is complete, fits what Compose mounts, and never changes its uids."""

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
        # A variable would be one more thing that can be unset.
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


def _file_of(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Make the schema of a file that lists entries under a key."""
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
    """Read the one file of a kind."""
    [path] = (PROVISIONING / kind).glob("*.yml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def data_sources() -> dict[str, dict[str, Any]]:
    """The data sources by uid."""
    return {source["uid"]: source for source in _read("datasources")["datasources"]}


@pytest.fixture
def grafana() -> dict[str, Any]:
    """Grafana as Compose starts it."""
    service: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    return service


@pytest.mark.parametrize(
    ("kind", "schema"),
    [("datasources", _file_of("datasources", DATA_SOURCE)), ("dashboards", _file_of("providers", PROVIDER))],
)
def test_files_have_the_shape_that_grafana_reads(kind: str, schema: dict[str, Any]):
    """Each file has the keys that Grafana needs, and none that it would pass over in silence."""
    jsonschema.validate(_read(kind), schema)


def test_uids_are_those_that_they_have_always_had(data_sources: dict[str, dict[str, Any]]):
    """A changed uid would leave all dashboards, and Grafana's volume, with the old one."""
    assert {uid: source["type"] for uid, source in data_sources.items()} == {
        "prometheus": "prometheus",
        "alertmanager": "alertmanager",
    }


def test_grafana_asks_prometheus_unless_told_otherwise(data_sources: dict[str, dict[str, Any]]):
    """One data source is the default, and it knows where the alerts of its rules go."""
    assert [uid for uid, source in data_sources.items() if source.get("isDefault")] == ["prometheus"]
    assert data_sources["prometheus"]["jsonData"]["alertmanagerUid"] in data_sources


def test_interval_is_the_longest_of_all_jobs(data_sources: dict[str, dict[str, Any]]):
    """A rate over Grafana's own interval has enough samples, whatever job it is about."""
    prometheus = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    usual = prometheus["global"]["scrape_interval"]
    intervals = {job.get("scrape_interval", usual) for job in prometheus["scrape_configs"]}

    longest = max(intervals, key=lambda interval: int(interval.removesuffix("s")))
    assert data_sources["prometheus"]["jsonData"]["timeInterval"] == longest


def test_grafana_has_no_alerts():
    """Alerts are Prometheus's: who looks for one has one place to look."""
    assert [path for path in (PROVISIONING / "alerting").rglob("*") if path.name != ".gitkeep"] == []


def test_compose_mounts_what_is_provisioned(grafana: dict[str, Any]):
    """The folders are where Grafana and the files themselves look for them, and nobody can write to them."""
    mounts = {target: source for source, target, *_ in (volume.split(":") for volume in grafana["volumes"])}
    [provider] = _read("dashboards")["providers"]

    assert mounts["/etc/grafana/provisioning"] == "./monitoring/grafana/provisioning"
    assert mounts[provider["options"]["path"]] == "./monitoring/grafana/dashboards"
    assert all(volume.endswith(":ro") for volume in grafana["volumes"] if volume.startswith("./"))


def test_home_is_a_dashboard_that_is_there(grafana: dict[str, Any]):
    """Who opens Grafana sees how things are."""
    [provider] = _read("dashboards")["providers"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert Path(home).parent == Path(provider["options"]["path"])
    assert (ROOT / "monitoring" / "grafana" / "dashboards" / Path(home).name).is_file()


def test_data_sources_are_services_of_compose(data_sources: dict[str, dict[str, Any]]):
    """Each address names a service that Compose starts."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    for source in data_sources.values():
        assert source["url"].removeprefix("http://").partition(":")[0] in services
