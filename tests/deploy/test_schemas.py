"""The manifests have no field that Kubernetes, the Prometheus operator or KServe does not know."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.manifests import ROOT, Manifest, find, kustomize, read_training_job, write_overlay

# Custom resource definitions, as data; outside of the repository.
_DEFINITIONS = ROOT.parent / "shared" / "crds"

_FILES = {
    "PodMonitor": "prometheus-operator-podmonitors.yaml",
    "PrometheusRule": "prometheus-operator-prometheusrules.yaml",
    "ServingRuntime": "kserve-servingruntimes.yaml",
    "InferenceService": "kserve-inferenceservices.yaml",
}

# The first in which the autoscaler's metric of one container is stable, and the newest that kubernetes-validate knows.
_VERSIONS = ("1.30", "1.37")


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """All manifests."""
    base = kustomize(write_overlay(tmp_path_factory.mktemp("base"), "monitoring", "postgres"))
    kserve = kustomize(write_overlay(tmp_path_factory.mktemp("kserve"), "kserve"))
    return [*base, *kserve, read_training_job()]


@pytest.fixture(scope="module")
def schemas() -> dict[str, dict[str, Any]]:
    """The schemas of the operators' kinds, in which unknown fields are refused."""
    if not _DEFINITIONS.is_dir():
        pytest.skip("the definitions ../shared/crds are absent")
    return {kind: _read_schema(_DEFINITIONS / file, kind) for kind, file in _FILES.items()}


@pytest.fixture
def validate(require_program: Callable[[str], Path], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs kubernetes-validate, which is a tool and in none of our locks."""
    program = require_program("kubernetes-validate")

    def run(manifests: list[Manifest], version: str) -> subprocess.CompletedProcess[str]:
        # The program asks for a name, which Kubernetes makes for the job.
        named = [each | {"metadata": {"name": "made"} | each["metadata"]} for each in manifests]
        file = tmp_path / "manifests.yaml"
        file.write_text(yaml.safe_dump_all(named))
        arguments = [str(program), "--strict", "--kubernetes-version", version, str(file)]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=120)

    return run


def _read_schema(path: Path, kind: str) -> dict[str, Any]:
    """Read the schema of the version that our manifests use."""
    # The loader in C: the files have 45,000 lines.
    for definition in yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
        if definition and definition["spec"]["names"]["kind"] == kind:
            schema: dict[str, Any] = _make_strict(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
            return schema
    raise AssertionError(f"{path} does not define {kind}")


def _make_strict(schema: Any) -> Any:
    """Return a schema that refuses fields it does not list, and takes numbers for ``int-or-string``."""
    if isinstance(schema, list):
        return [_make_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _make_strict(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string") is True:
        return {"type": ["integer", "string"]}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict


def _errors(manifest: Manifest, schemas: dict[str, dict[str, Any]]) -> list[str]:
    validator = jsonschema.Draft202012Validator(schemas[manifest["kind"]])
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(manifest)]


def test_operators_accept_their_kinds(manifests, schemas):
    """Monitors, rules and KServe's objects match the definitions of their operators strictly."""
    kinds = [manifest for manifest in manifests if manifest["kind"] in schemas]

    assert {manifest["kind"] for manifest in kinds} == set(_FILES)
    assert [error for manifest in kinds for error in _errors(manifest, schemas)] == []


def test_operators_refuse_mistakes(manifests, schemas):
    """Misspelt and unknown fields, and a fraction as an expression, are refused."""
    changed = copy.deepcopy(manifests)
    find(changed, "PodMonitor")["spec"]["podMetricsEndpoint"] = []
    find(changed, "PrometheusRule")["spec"]["groups"][0]["rules"][0]["expr"] = 0.1
    find(changed, "ServingRuntime")["spec"]["containers"][0]["readOnly"] = True
    find(changed, "InferenceService")["spec"]["predictor"]["maxReplica"] = 6

    assert [kind for kind in _FILES if not _errors(find(changed, kind), schemas)] == []


@pytest.mark.parametrize("version", _VERSIONS)
def test_kubernetes_accepts_its_kinds(manifests, version, validate):
    """All other objects match the schemas of Kubernetes strictly."""
    own = [manifest for manifest in manifests if manifest["kind"] not in _FILES and manifest["kind"] != "ConfigMap"]

    assert {"Deployment", "Job", "HorizontalPodAutoscaler", "PodDisruptionBudget"} <= {each["kind"] for each in own}
    done = validate(own, version)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_refuses_a_misspelt_field(manifests, validate):
    """The validation is strict."""
    deployment = copy.deepcopy(find(manifests, "Deployment"))
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    done = validate([deployment], _VERSIONS[-1])

    assert done.returncode != 0
    assert "readynessProbe" in done.stdout + done.stderr
