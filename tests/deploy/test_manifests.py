"""The manifests for Kubernetes fit each other and the service, and mistakes in them are found."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable

import pytest
import yaml

from tests.deploy.manifests import (
    KUBERNETES,
    ROOT,
    Manifest,
    blocks_of_yaml,
    environ_of,
    find,
    find_problems,
    kustomize,
    read_training_job,
    write_overlay,
)

# `kubectl apply` keeps a copy of the object in an annotation, and annotations may have 262,144 bytes.
_MOST_BYTES = 250_000


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The base with monitoring and records, and the training job."""
    built = kustomize(write_overlay(tmp_path_factory.mktemp("overlay"), "monitoring", "postgres"))
    return [*built, read_training_job()]


def test_base_has_no_problem():
    """The base works by itself."""
    assert find_problems(kustomize(KUBERNETES / "base")) == []


def test_base_with_components_has_no_problem(everything):
    """Components refer to what the base has."""
    assert find_problems(everything) == []


def test_kserve_has_no_problem(tmp_path):
    """KServe's component works without the base."""
    built = kustomize(write_overlay(tmp_path, "kserve"))

    assert {manifest["kind"] for manifest in built} == {"ServingRuntime", "InferenceService"}
    assert find_problems(built) == []
    service, runtime = find(built, "InferenceService"), find(built, "ServingRuntime")
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    supported = [{key: each[key] for key in ("name", "version")} for each in runtime["spec"]["supportedModelFormats"]]
    assert model["modelFormat"] in supported


def test_records_are_kept_in_postgresql(everything):
    """The component sets the address from a Secret, turns records on, and opens the way to the database."""
    (container,) = find(everything, "Deployment")["spec"]["template"]["spec"]["containers"]

    assert container["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "isowatch-database", "key": "url"}}
    assert environ_of(container, everything)["RECORD_PREDICTIONS"] == "all"
    policy = next(each for each in everything if each["kind"] == "NetworkPolicy" and "egress" in each["spec"])
    assert {"port": 5432, "protocol": "TCP"} in policy["spec"]["egress"][1]["ports"]


def test_dashboards_can_be_applied(everything):
    """All dashboards but the one on containers of Compose are there, and none is too large for `kubectl apply`."""
    maps = [each for each in everything if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"]

    folder = ROOT / "monitoring" / "grafana" / "dashboards"
    assert {name for each in maps for name in each["data"]} == {path.name for path in folder.glob("*.json")} - {
        "containers.json"
    }
    assert max(len(yaml.safe_dump(each, default_style='"')) for each in maps) < _MOST_BYTES


def test_overlay_of_the_page_builds(tmp_path):
    """The kustomization in docs/kubernetes.md builds, and its image, namespace and settings arrive."""
    block = next(block for block in blocks_of_yaml(ROOT / "docs" / "kubernetes.md") if "components:" in block)
    path = os.path.relpath(KUBERNETES, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(block.replace("../isowatch/deploy/kubernetes", path))
    built = kustomize(tmp_path)

    assert find_problems([*built, read_training_job()]) == []
    deployment = find(built, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["metadata"]["namespace"] == "isowatch"
    assert container["image"].startswith("registry.example.org/isowatch:")
    assert "isowatch.example.org" in environ_of(container, built)["ALLOWED_HOSTS"]


def _container(manifests):
    return find(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]


def _pod(manifests):
    return find(manifests, "Deployment")["spec"]["template"]["spec"]


_MUTATIONS: dict[str, tuple[Callable[[list[Manifest]], object], str]] = {
    "no readiness": (lambda all_: _container(all_).pop("readinessProbe"), "no readinessProbe"),
    "no liveness": (lambda all_: _container(all_).pop("livenessProbe"), "no livenessProbe"),
    "readiness as liveness": (
        lambda all_: _container(all_)["livenessProbe"]["httpGet"].update(path="/readyz"),
        "asks for /readyz",
    ),
    "probe of another port": (
        lambda all_: _container(all_)["startupProbe"]["httpGet"].update(port="web"),
        "uses port web",
    ),
    "root": (lambda all_: _pod(all_)["securityContext"].update(runAsUser=0), "may run as root"),
    "no seccomp": (lambda all_: _pod(all_)["securityContext"].pop("seccompProfile"), "no seccomp"),
    "writable root": (
        lambda all_: _container(all_)["securityContext"].update(readOnlyRootFilesystem=False),
        "write to its root",
    ),
    "capability": (
        lambda all_: _container(all_)["securityContext"].update(capabilities={"add": ["NET_RAW"]}),
        "gain privileges",
    ),
    "no limit": (lambda all_: _container(all_)["resources"]["limits"].pop("memory"), "no limits"),
    "short grace": (lambda all_: _pod(all_).update(terminationGracePeriodSeconds=30), "too short"),
    "token": (lambda all_: _pod(all_).pop("automountServiceAccountToken"), "token"),
    "missing volume": (lambda all_: _pod(all_)["volumes"].pop(), "is no volume"),
    "unknown setting": (
        lambda all_: _container(all_)["env"].append({"name": "MODELS_DIR", "value": "/models"}),
        "MODELS_DIR is no setting",
    ),
    "refused setting": (
        lambda all_: _container(all_)["env"].append({"name": "KEEPALIVE", "value": "long"}),
        "KEEPALIVE='long'",
    ),
    "records in files": (lambda all_: _container(all_)["env"].clear(), "files of their own"),
    "more replicas": (
        lambda all_: find(all_, "HorizontalPodAutoscaler")["spec"].update(maxReplicas=12),
        "each of maxReplicas",
    ),
    "other container": (
        lambda all_: find(all_, "HorizontalPodAutoscaler")["spec"]["metrics"][0]["containerResource"].update(
            container="web"
        ),
        "is no container",
    ),
    "other deployment": (
        lambda all_: find(all_, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"].update(name="web"),
        "which does not exist",
    ),
    "port of the service": (
        lambda all_: find(all_, "Service")["spec"]["ports"][0].update(targetPort="web"),
        "The Service uses port web",
    ),
    "port of the policy": (
        lambda all_: find(all_, "NetworkPolicy")["spec"]["ingress"][0]["ports"][0].update(port="web"),
        "The NetworkPolicy uses port web",
    ),
    "port of the monitor": (
        lambda all_: find(all_, "PodMonitor")["spec"]["podMetricsEndpoints"][0].update(port="web"),
        "The PodMonitor uses port web",
    ),
    "spread of other pods": (
        lambda all_: _pod(all_)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(tier="web"),
        "not spread over kubernetes.io/hostname",
    ),
}


@pytest.mark.parametrize("kind", ["Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"])
def test_selector_of_nothing_is_found(everything, kind):
    """An object that selects other pods is named."""
    manifests = copy.deepcopy(everything)
    spec = find(manifests, kind)["spec"]
    selector = spec["podSelector" if kind == "NetworkPolicy" else "selector"]
    selector.get("matchLabels", selector).update({"app.kubernetes.io/name": "web"})

    assert f"The {kind} isowatch selects no pod." in find_problems(manifests)


@pytest.mark.parametrize("name", _MUTATIONS)
def test_mistake_is_found(everything, name):
    """Each seeded mistake is named."""
    mutate, expected = _MUTATIONS[name]
    manifests = copy.deepcopy(everything)
    mutate(manifests)

    problems = find_problems(manifests)

    assert problems
    assert any(expected in problem for problem in problems), problems
