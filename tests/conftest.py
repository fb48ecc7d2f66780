"""Options and fixtures for all tests: shortened or full runs, installed programs, training data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent

# The real credit spending that the example data imitates; it is outside of the repository.
REAL_TRAINING_CSV = ROOT.parent / "shared" / "data" / "train.csv"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long``."""
    parser.addoption("--long", action="store_true", help="run tests that take over a minute in full")
    parser.addoption("--platform", action="store_true", help="run only the tests of the whole platform")


def pytest_configure(config: pytest.Config) -> None:
    """Make Hypothesis use the same examples in each shortened run, and many new ones in a long run.

    Trainings serve no metrics unless a test requests it, because the default port may be in use on this machine.
    """
    os.environ["TRAINING_METRICS_PORT"] = "0"
    # No deadline: on a busy machine, the duration of an example says nothing about the code.
    hypothesis.settings.register_profile("short", deadline=None, derandomize=True)
    hypothesis.settings.register_profile("long", deadline=None, max_examples=2000, print_blob=True)
    hypothesis.settings.load_profile("long" if config.getoption("--long") else "short")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the platform's tests or all others; skip tests that cannot be shortened unless ``--long`` is given."""
    is_wanted = bool(config.getoption("--platform"))
    others = [item for item in items if bool(item.get_closest_marker("platform")) != is_wanted]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long: run it with make test-long"))


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether tests run in full (``make test-long``) instead of shortened."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def require_program() -> Callable[[str], Path]:
    """Return a function that finds an installed program; without it the test is skipped, or fails in CI."""

    def find(name: str) -> Path:
        path = shutil.which(name)
        if path is not None:
            return Path(path)
        reason = f"{name} is not installed on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and .ci/run should have installed it", pytrace=False)
        pytest.skip(reason)

    return find


@pytest.fixture(scope="session")
def docker(require_program: Callable[[str], Path]) -> Path:
    """The client of a running container engine; without one the test is skipped, or fails in CI."""
    client = require_program("docker")
    if subprocess.run([client, "info"], capture_output=True, timeout=60).returncode == 0:
        return client
    reason = "no container engine answers `docker info`"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and .ci/run should have started one", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def compose(require_program: Callable[[str], Path]) -> Path:
    """A client with Compose, which can read its files without an engine; skipped without it, or fails in CI."""
    client = require_program("docker")
    if subprocess.run([client, "compose", "version"], capture_output=True, timeout=60).returncode == 0:
        return client
    reason = "docker has no Compose on this machine"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and .ci/run should have installed it", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def real_training_csv() -> Path:
    """The real training sample."""
    if not REAL_TRAINING_CSV.is_file():
        pytest.skip("the real training sample ../shared/data/train.csv is absent")
    return REAL_TRAINING_CSV


@pytest.fixture(scope="session")
def training_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real training sample if it exists, else the synthetic one."""
    if REAL_TRAINING_CSV.is_file():
        return REAL_TRAINING_CSV
    folder = tmp_path_factory.mktemp("synthetic_credits")
    subprocess.run(
        [sys.executable, "-m", "training.data.synthetic", "--out", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder / "train.csv"


@pytest.fixture(scope="session")
def credits_models(training_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one version, trained on credit spending; tests that change it use a copy.

    All of pytest-xdist's processes use the same one: a training takes 14 s of processor time.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    models = folder / "credits" / "models"
    with FileLock(folder / "credits.lock"):
        if not (models / "current").exists():
            subprocess.run(
                [
                    *(sys.executable, "-m", "training", "train", "--train", str(training_csv), "--models", str(models)),
                    # A short run time is calibrated quickly.
                    *("--drift-ert", "300", "--drift-window", "10"),
                ],
                cwd=ROOT,
                check=True,
                capture_output=True,
            )
    return models
