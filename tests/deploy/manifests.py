"""What kustomize makes of the manifests of deploy/kubernetes, and what is wrong with it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.errors import InvalidSetting
from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
TRAINING_JOB = KUBERNETES / "training_job.yaml"

# Settings of training, not of the service.
_SETTINGS_OF_TRAINING = {"TRAINING_METRICS_HOLD"}

# Their objects select pods by labels, in these fields.
_SELECTORS = {
    "Service": ("selector",),
    "Deployment": ("selector", "matchLabels"),
    "PodDisruptionBudget": ("selector", "matchLabels"),
    "NetworkPolicy": ("podSelector", "matchLabels"),
    "PodMonitor": ("selector", "matchLabels"),
}

Manifest = dict[str, Any]


def kustomize(folder: Path) -> list[Manifest]:
    """Build a kustomization; the test is skipped where kubectl is missing or too old, as Debian's is."""
    done = subprocess.run([_kubectl(), "kustomize", folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if manifest]


@cache
def _kubectl() -> str:
    """Return the path of kubectl, or skip the test."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed on this machine")
    version = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, timeout=60).stdout
    # Printed since kubectl 1.25, whose kustomize knows everything that we use.
    if "Kustomize Version" not in version:
        pytest.skip("kubectl is older than 1.25")
    return kubectl


def write_overlay(folder: Path, *parts: str) -> Path:
    """Write a kustomization of the base and some components, or of KServe's component alone; return its folder."""
    path = os.path.relpath(KUBERNETES, folder.resolve())
    resources = [] if parts == ("kserve",) else [f"{path}/base"]
    components = [f"{path}/components/{part}" for part in parts]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": resources, "components": components}))
    return folder


def read_training_job() -> Manifest:
    """Read the job, which belongs to no kustomization because it is created and not applied."""
    job: Manifest = yaml.safe_load(TRAINING_JOB.read_text(encoding="utf-8"))
    return job


def find_problems(manifests: list[Manifest]) -> list[str]:
    """Return what is wrong with manifests that are applied together, one sentence each."""
    pods = [pod for manifest in manifests if (pod := _pod_of(manifest))]
    return [
        *(problem for pod in pods for problem in _problems_of_pod(pod, manifests)),
        *(problem for manifest in manifests for problem in _problems_of_selection(manifest, pods)),
        *(problem for manifest in manifests for problem in _problems_of_autoscaler(manifest, manifests)),
    ]


def find(manifests: list[Manifest], kind: str) -> Manifest:
    """Return the first object of a kind."""
    return next(manifest for manifest in manifests if manifest["kind"] == kind)


def environ_of(container: Manifest, manifests: list[Manifest]) -> dict[str, str]:
    """Return the variables of a container; those that come from a Secret have a valid value of PostgreSQL."""
    config_maps = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"}
    environ: dict[str, str] = {}
    for source in container.get("envFrom", []):
        environ |= config_maps[source["configMapRef"]["name"]]
    for variable in container.get("env", []):
        environ[variable["name"]] = variable.get("value", "postgresql://user:password@host/database")
    return environ


def _pod_of(manifest: Manifest) -> Manifest | None:
    """Return labels and specification of the pods that an object starts."""
    if manifest["kind"] in ("Deployment", "Job"):
        template = manifest["spec"]["template"]
        return {"kind": manifest["kind"], "labels": template["metadata"]["labels"], "spec": template["spec"]}
    if manifest["kind"] == "ServingRuntime":
        return {"kind": manifest["kind"], "labels": {}, "spec": manifest["spec"]}
    return None


def _problems_of_pod(pod: Manifest, manifests: list[Manifest]) -> Iterator[str]:
    """Yield what is wrong with a pod."""
    spec = pod["spec"]
    volumes = {volume["name"] for volume in spec["volumes"]}
    if pod["kind"] != "ServingRuntime" and spec.get("automountServiceAccountToken") is not False:
        yield "The pod has a token of the API server."
    for container in spec["containers"]:
        name = container["name"]
        security = spec.get("securityContext", {}) | container.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
            yield f"{name} may run as root."
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name} has no seccomp profile."
        if security.get("readOnlyRootFilesystem") is not True:
            yield f"{name} can write to its root file system."
        if security.get("allowPrivilegeEscalation") is not False or security["capabilities"] != {"drop": ["ALL"]}:
            yield f"{name} can gain privileges."
        for kind in ("requests", "limits"):
            if set(container.get("resources", {}).get(kind, {})) != {"cpu", "memory"}:
                yield f"{name} has no {kind} of cpu and memory."
        yield from (
            f"{name} mounts {mount['name']}, which is no volume."
            for mount in container["volumeMounts"]
            if mount["name"] not in volumes
        )
        if pod["kind"] != "Job":
            yield from _problems_of_probes(container)
            yield from _problems_of_settings(container, spec, manifests)
        unknown = environ_of(container, manifests).keys() - _names_of_settings()
        yield from (f"{name}: {variable} is no setting." for variable in sorted(unknown))


def _names_of_settings() -> set[str]:
    return {name.upper() for name in Settings.__dataclass_fields__} | _SETTINGS_OF_TRAINING


def _problems_of_probes(container: Manifest) -> Iterator[str]:
    ports = {port.get("name") for port in container["ports"]} | {port["containerPort"] for port in container["ports"]}
    paths = {
        "startupProbe": ("/healthz", "/v2/health/live"),
        "livenessProbe": ("/healthz", "/v2/health/live"),
        "readinessProbe": ("/readyz", "/v2/health/ready"),
    }
    for probe, expected in paths.items():
        request = container.get(probe, {}).get("httpGet")
        if request is None:
            yield f"{container['name']} has no {probe}."
        elif request["path"] not in expected:
            yield f"The {probe} of {container['name']} asks for {request['path']}."
        elif request["port"] not in ports:
            yield f"The {probe} of {container['name']} uses port {request['port']}, which it has not."


def _problems_of_settings(container: Manifest, spec: Manifest, manifests: list[Manifest]) -> Iterator[str]:
    """Yield settings that the service refuses, or that do not fit the numbers in other manifests."""
    environ = environ_of(container, manifests)
    try:
        settings = Settings.from_environ(environ)
    except InvalidSetting as error:
        yield str(error)
        return
    if "DATABASE_URL" not in environ and settings.record_predictions:
        yield "Replicas record into files of their own."
    service = [each["spec"].get("predictor") for each in manifests if each["kind"] == "InferenceService"]
    grace = (service[0] if service else spec).get("terminationGracePeriodSeconds", 30)
    pause = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    if grace <= pause + settings.graceful_timeout:
        yield "The grace period is too short for preStop and GRACEFUL_TIMEOUT."
    scaled = [each["spec"] for each in manifests if each["kind"] == "HorizontalPodAutoscaler"] or service
    if settings.drift_false_alarm_days != Settings().drift_false_alarm_days * scaled[0]["maxReplicas"]:
        yield "DRIFT_FALSE_ALARM_DAYS is not 30 days for each of maxReplicas."


def _problems_of_selection(manifest: Manifest, pods: list[Manifest]) -> Iterator[str]:
    """Yield selectors that select nothing, and ports that the selected pods do not have."""
    kind, spec = manifest["kind"], manifest.get("spec", {})
    if kind not in _SELECTORS:
        return
    labels = spec
    for key in _SELECTORS[kind]:
        labels = labels.get(key, {})
    selected = [pod for pod in pods if labels and labels.items() <= pod["labels"].items()]
    if not selected:
        yield f"The {kind} {manifest['metadata']['name']} selects no pod."
        return
    ports = {port["name"] for pod in selected for each in pod["spec"]["containers"] for port in each["ports"]}
    used = {
        *(port["targetPort"] for port in spec.get("ports", [])),
        *(port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]),
        *(endpoint["port"] for endpoint in spec.get("podMetricsEndpoints", [])),
    }
    yield from (f"The {kind} uses port {port}, which the pods have not." for port in sorted(used - ports))
    for constraint in spec.get("template", {}).get("spec", {}).get("topologySpreadConstraints", []):
        if not constraint["labelSelector"]["matchLabels"].items() <= selected[0]["labels"].items():
            yield f"The pods are not spread over {constraint['topologyKey']}."


def _problems_of_autoscaler(manifest: Manifest, manifests: list[Manifest]) -> Iterator[str]:
    if manifest["kind"] != "HorizontalPodAutoscaler":
        return
    target = manifest["spec"]["scaleTargetRef"]
    scaled = [
        each
        for each in manifests
        if each["kind"] == target["kind"] and each["metadata"].get("name") == target["name"]  # a job has none
    ]
    if not scaled:
        yield f"The autoscaler scales {target['name']}, which does not exist."
        return
    if "replicas" in scaled[0]["spec"]:
        yield "The deployment sets the number of replicas, which belongs to the autoscaler."
    containers = {container["name"] for container in scaled[0]["spec"]["template"]["spec"]["containers"]}
    for metric in manifest["spec"]["metrics"]:
        if metric["containerResource"]["container"] not in containers:
            yield f"The autoscaler watches {metric['containerResource']['container']}, which is no container."


def blocks_of_yaml(page: Path) -> list[str]:
    """Return the blocks of YAML of a page."""
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
