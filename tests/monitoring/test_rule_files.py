"""Promtool accepts the configuration and the rules, and the rule tests pass."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from tests.monitoring.rule_files import PROMETHEUS, RULE_FILES, RULE_TESTS


@pytest.fixture
def promtool(require_program: Callable[[str], Path]) -> Callable[..., None]:
    """Return a function that runs promtool and fails if promtool does."""
    program = require_program("promtool")

    def run(*arguments: str | Path) -> None:
        # Collecting garbage less often saves a fifth of its time.
        environ = os.environ | {"GOGC": "400"}
        done = subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_configuration_is_valid(promtool: Callable[..., None]):
    """The shipped configuration and its rule files pass all lint checks."""
    promtool("check", "config", "--lint=all", "--lint-fatal", PROMETHEUS / "prometheus.yml")


def test_rules_pass_lint(promtool: Callable[..., None]):
    """All rule files together pass lint checks: there are no duplicate rules."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rule_tests_pass(promtool: Callable[..., None], path: Path):
    """Alerts and recorded values are as expected in each promtool test."""
    promtool("test", "rules", path)


def test_configuration_loads_all_rules_and_no_tests():
    """The patterns in the configuration match every rule file and no rule test."""
    patterns = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]

    def is_loaded(path: Path) -> bool:
        return any(fnmatch(str(path.relative_to(PROMETHEUS)), pattern) for pattern in patterns)

    assert [path for path in RULE_FILES if not is_loaded(path)] == []
    assert [path for path in RULE_TESTS if is_loaded(path)] == []


def test_rule_tests_have_a_suffix():
    """The names of rule tests end in _test.yml, to distinguish them from rules."""
    assert RULE_TESTS
    assert [path.name for path in RULE_TESTS if not path.name.endswith("_test.yml")] == []
