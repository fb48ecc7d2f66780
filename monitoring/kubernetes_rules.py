"""Generate the rules for Kubernetes: ``python -m monitoring.kubernetes_rules``; ``--check`` only compares."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).resolve().parents[1]
RULES = _ROOT / "monitoring" / "prometheus" / "rules"
FILE = _ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "rules.yaml"

# About containers of Compose and the machine under them, and about Prometheus and Alertmanager themselves. The usual
# installations of the operator have alerts of their own on these; TargetDown would cover the whole cluster. Objectives
# at the door need Caddy.
_FILES_LEFT_OUT = {
    "container_alerts.yml",
    "door_objective_alerts.yml",
    "door_objective_recordings.yml",
    "watcher_alerts.yml",
}

# Compose probes through Caddy; an autoscaler ends replicas on purpose.
_ALERTS_LEFT_OUT = {"DoorDown", "ReplicasMissing"}

_HEADER = "# Generated from monitoring/prometheus/rules by `python -m monitoring.kubernetes_rules`: do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Write texts of several lines as blocks, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Write an expression over several lines as in its source."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def read_groups(folder: Path = RULES) -> list[dict[str, Any]]:
    """Read the rule groups that make sense in Kubernetes, in the order of their files.

    Parameters
    ----------
    folder
        The folder of rule files.

    Returns
    -------
    list of dict
        Groups as Prometheus has them. All values are texts: the operator refuses an ``expr`` such as 0.1 that is a
        fraction.
    """
    groups: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yml")):
        # The loader makes nothing but texts, lists and mappings.
        for group in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)["groups"]:
            for rule in group["rules"]:
                is_left_out = path.name in _FILES_LEFT_OUT or rule.get("alert") in _ALERTS_LEFT_OUT
                (left_out if is_left_out else kept).append(rule)
            if path.name not in _FILES_LEFT_OUT:
                groups.append(group)
    unused = _thresholds(left_out) - _thresholds(kept)
    return [
        group | {"rules": [rule for rule in group["rules"] if rule in kept and rule.get("record") not in unused]}
        for group in groups
    ]


def _thresholds(rules: list[dict[str, Any]]) -> set[str]:
    """Return the names of the thresholds that some rules use."""
    return {name for rule in rules for name in re.findall(r"threshold:\w+:\w+", rule["expr"])}


def generate() -> str:
    """Return the PrometheusRule as YAML."""
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "isowatch"},
        "spec": {"groups": read_groups()},
    }
    return _HEADER + yaml.dump(rule, Dumper=_Dumper, sort_keys=False, width=120)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the file; return 1 if ``--check`` found a difference."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.kubernetes_rules", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file differs")
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args(arguments)
    text = generate()
    if not options.check:
        options.out.write_text(text, encoding="utf-8")
        print(options.out)
    elif not options.out.is_file() or options.out.read_text(encoding="utf-8") != text:
        print(f"{options.out} differs from its source; run python -m monitoring.kubernetes_rules.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
