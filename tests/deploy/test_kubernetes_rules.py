"""The PrometheusRule has the rules of monitoring/prometheus that make sense in Kubernetes, and is current."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from monitoring.kubernetes_rules import FILE, main
from tests.monitoring.rule_files import PROMETHEUS, read_alerts

_GROUPS = yaml.safe_load(FILE.read_text(encoding="utf-8"))["spec"]["groups"]
_RULES = [rule for group in _GROUPS for rule in group["rules"]]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated rules, as Prometheus reads them."""
    file = tmp_path_factory.mktemp("rules") / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": _GROUPS}))
    return file


def test_rules_are_current(tmp_path, capsys):
    """The file is what its source generates; an older one is refused with the command that renews it."""
    assert main(["--check"]) == 0

    old = tmp_path / "rules.yaml"
    old.write_text(FILE.read_text(encoding="utf-8").replace("for: 2m", "for: 3m"))
    assert main(["--check", "--out", str(old)]) == 1
    assert "python -m monitoring.kubernetes_rules" in capsys.readouterr().err


def test_only_what_compose_has_is_left_out():
    """What is missing is about containers of Compose, its machine, its Caddy, its Prometheus and fixed replicas."""
    missing = {rule.name for rule in read_alerts()} - {rule["alert"] for rule in _RULES if "alert" in rule}

    assert {name for name in missing if not re.match("Container|Host|Prometheus|Alertmanager", name)} == {
        "DoorAvailabilityBudgetBurn",
        "DoorDown",
        "DoorLatencyBudgetBurn",
        "ReplicasMissing",
        "TargetDown",
        "Watchdog",
    }


def test_thresholds_of_the_rules_are_there():
    """Each threshold that a rule uses is recorded, and every expression is a text, as the operator requires."""
    recorded = {rule["record"] for rule in _RULES if "record" in rule}

    assert {name for rule in _RULES for name in re.findall(r"threshold:\w+:\w+", rule["expr"])} <= recorded
    assert "0.10" in {rule["expr"] for rule in _RULES}


def test_rules_concern_only_what_is_scraped():
    """Rules select only jobs that the monitors set, and the Pushgateway's."""
    used = {job for rule in _RULES for job in re.findall(r'\bjob=~?"([^"]+)"', rule["expr"])}

    assert used <= {"service", "model-training", "training"}


def test_rules_behave_as_their_sources(require_program: Callable[[str], Path], rules, tmp_path):
    """Promtool accepts the generated rules; a test of the sources, the shortest one, passes with them."""
    promtool = require_program("promtool")
    test = yaml.safe_load((PROMETHEUS / "rule_tests" / "model_test.yml").read_text(encoding="utf-8"))
    changed = tmp_path / "model_test.yml"
    changed.write_text(yaml.safe_dump(test | {"rule_files": [str(rules)]}))

    for arguments in (["check", "rules", "--lint=all", "--lint-fatal", rules], ["test", "rules", changed]):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
