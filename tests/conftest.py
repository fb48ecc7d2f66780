"""Options and fixtures for all tests: shortened or full runs, installed programs, training data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from filelock import FileLock

from training.bundle.plots import draw_pictures
from training.fitting import out_of_bag

ROOT = Path(__file__).resolve().parent.parent

# The real credit spending that the example data imitates; it is outside of the repository.
REAL_TRAINING_CSV = ROOT.parent / "shared" / "data" / "train.csv"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that select tests."""
    parser.addoption("--long", action="store_true", help="run tests that take over a minute in full")
    parser.addoption("--platform", action="store_true", help="run only the tests of the whole platform")
    parser.addoption("--alone", action="store_true", help="run only the tests that other processes would disturb")


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
    """Select the platform's tests or all others; skip tests that cannot be shortened unless ``--long`` is given.

    Several processes at a time leave out what they would disturb. They begin with the files that take longest, so that
    none is left with such a file at the end.
    """
    is_platform, is_alone = bool(config.getoption("--platform")), bool(config.getoption("--alone"))
    is_one_of_several = hasattr(config, "workerinput")

    def is_wanted(item: pytest.Item) -> bool:
        of_platform, alone = (item.get_closest_marker(name) is not None for name in ("platform", "alone"))
        return of_platform == is_platform and (alone or not is_alone) and not (alone and is_one_of_several)

    if astray := [item.nodeid for item in items if item.get_closest_marker("alone") and not _is_of_system(item)]:
        raise pytest.UsageError(
            f"{astray[0]} is marked alone: make test-processes runs such tests of tests/system only."
        )
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = sorted(filter(is_wanted, items), key=lambda item: not item.get_closest_marker("system"))
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long: run it with make test-long"))


def _is_of_system(item: pytest.Item) -> bool:
    return item.path.parent.name == "system"


# A PNG file of one grey pixel.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)


def draw_pixels(forest: object, contamination: object, sets: dict[str, Any], importance: object) -> dict[str, bytes]:
    """Return a pixel instead of each picture; the signature is that of ``draw_pictures``."""
    names = ["scores.png", "thresholds.png"]
    n_columns = len(sets["train"][0].names)
    if n_columns > 1:
        names.append("importance.png")
    if n_columns == 2:
        names += ["boundary_base.png", "boundary.png"]
    if "test" in sets:
        names += ["scores_test.png", *(["boundary_test.png"] if n_columns == 2 else [])]
    return dict.fromkeys(names, _PIXEL)


@pytest.fixture(scope="session", autouse=True)
def trainings_are_quick() -> Iterator[None]:
    """Draw no pictures and grow few trees for p-values in trainings within a test's process, which would take longest.

    Tests of reports use ``real_pictures``, tests of p-values ``all_trees``. Trainings in other processes do both.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.bundle.write.draw_pictures", draw_pixels)
        patch.setattr(out_of_bag, "_MAX_TIMES_AS_MANY", 1)
        yield


_ALL_TREES = out_of_bag._MAX_TIMES_AS_MANY


@pytest.fixture(scope="module")
def all_trees() -> Iterator[None]:
    """Grow as many trees for p-values as every row needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(out_of_bag, "_MAX_TIMES_AS_MANY", _ALL_TREES)
        yield


@pytest.fixture(scope="module")
def real_pictures() -> Iterator[None]:
    """Draw the pictures of a model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.bundle.write.draw_pictures", draw_pictures)
        yield


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
