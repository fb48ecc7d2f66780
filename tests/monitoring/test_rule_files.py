"""Prometheus itself reads the configuration and the rules, and the rules do what their promtool tests say."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from tests.monitoring.rule_files import PROMETHEUS, RULE_FILES, RULE_TESTS


@pytest.fixture
def promtool(require_program: Callable[[str], Path]) -> Callable[..., None]:
    """Run promtool, which has to have nothing to say against it."""
    program = require_program("promtool")

    def run(*arguments: str | Path) -> None:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_configuration_is_read_with_its_rules(promtool: Callable[..., None]):
    """The shipped configuration, and the rules that it names, are accepted without a warning."""
    promtool("check", "config", "--lint=all", "--lint-fatal", PROMETHEUS / "prometheus.yml")


def test_rules_pass_every_lint(promtool: Callable[..., None]):
    """All rule files together have no rule twice, and no label that is none."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(promtool: Callable[..., None], path: Path):
    """Alerts are silent and fire, and recorded values come out, as a promtool test says."""
    promtool("test", "rules", path)


def test_all_rules_are_loaded_and_no_test_is():
    """The patterns of the configuration name each file of rules, and none of rule_tests."""
    patterns = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]

    def is_loaded(path: Path) -> bool:
        return any(fnmatch(str(path.relative_to(PROMETHEUS)), pattern) for pattern in patterns)

    assert [path for path in RULE_FILES if not is_loaded(path)] == []
    assert [path for path in RULE_TESTS if is_loaded(path)] == []


def test_promtool_tests_are_named_alike():
    """Files of tests end in _test.yml, so that nobody takes one for rules; there are some."""
    assert RULE_TESTS
    assert [path.name for path in RULE_TESTS if not path.name.endswith("_test.yml")] == []
