"""The service's image runs with few permissions, and contains only what the service needs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
TAG = "isowatch:under-test"

# Limit for the whole image, including its base.
MAX_BYTES = 350_000_000

SCRIPT = """
import json, urllib.request as u
body = json.dumps({"feature_vector": [0.56, 0.23], "score": True}).encode()
request = u.Request("http://127.0.0.1:8000/prediction", body, {"Content-Type": "application/json"})
print(u.urlopen(request).read().decode())
print(json.load(u.urlopen("http://127.0.0.1:8000/model_information"))["model"]["kernel"])
"""


@pytest.fixture(scope="module")
def image(docker: Path) -> str:
    """The image, built from this tree."""
    # Only builds on a machine that reaches package registries through the host need the host's network.
    built = subprocess.run(
        [docker, "build", "--network", "host", "--quiet", "--tag", TAG, str(ROOT)], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return TAG


@pytest.fixture
def container(docker: Path, image: str, credits_models: Path, tmp_path: Path) -> Iterator[str]:
    """A read-only container without capabilities."""
    models = tmp_path / "models"
    copytree(credits_models, models, symlinks=True)
    for path in [tmp_path.parent, tmp_path, models, *models.rglob("*")]:
        path.chmod(0o755)  # the container runs as user "nobody"
    run = subprocess.run(
        [
            *(docker, "run", "--detach", "--read-only", "--cap-drop", "ALL", "--network", "none"),
            # State and records are in anonymous volumes, which are removed with the container.
            *("--security-opt", "no-new-privileges", "--volume", f"{models}:/models:ro"),
            *("--volume", "/state", "--volume", "/records", image),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    identifier = run.stdout.strip()
    yield identifier
    subprocess.run([docker, "rm", "--force", "--volumes", identifier], capture_output=True, check=True)


def _inside(docker: Path, container: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the container."""
    return subprocess.run([docker, "exec", container, *command], capture_output=True, text=True, timeout=60)


def test_restricted_container_answers(docker: Path, container: str):
    """It works as user nobody, without a home, with the compiled kernel and without warnings."""
    deadline = time.monotonic() + 60
    while (run := _inside(docker, container, "python", "-c", SCRIPT)).returncode != 0:
        assert time.monotonic() < deadline, run.stderr
        time.sleep(0.1)
    answer, kernel = run.stdout.splitlines()

    assert json.loads(answer).keys() == {"is_inlier", "anomaly_score"}
    assert kernel == "compiled"
    logged = subprocess.run([docker, "logs", container], capture_output=True, text=True, check=True)
    levels = {json.loads(line)["level"] for line in (logged.stdout + logged.stderr).splitlines()}
    assert levels == {"info"}
    assert _inside(docker, container, "python", "-c", "import os; print(os.getuid())").stdout == "65534\n"


def test_volume_of_records_is_accessible_to_the_service_and_trainings_only(docker: Path, container: str):
    """The service owns it, new files get the trainings' group, and others cannot enter it."""
    look = "import os; s = os.stat('/records'); print(oct(s.st_mode), s.st_uid, s.st_gid)"

    assert _inside(docker, container, "python", "-c", look).stdout == "0o42750 65534 1000\n"
    written = "open('/records/new', 'w').close(); import os; print(os.stat('/records/new').st_gid)"
    assert _inside(docker, container, "python", "-c", written).stdout == "1000\n"


def test_image_is_small_and_contains_only_the_service(docker: Path, image: str):
    """It has no compiler, no pip, no training code, and no libraries for training or plotting."""
    size = subprocess.run(
        [docker, "image", "inspect", "--format", "{{.Size}}", image], capture_output=True, text=True, check=True
    )
    look = "import importlib.util as u, shutil, os; print([n for n in (%r) if u.find_spec(n)], shutil.which('gcc'))"
    unwanted = ("training", "loadtest", "sklearn", "pandas", "matplotlib", "plotly", "locust", "pip", "scipy")
    found = subprocess.run(
        [docker, "run", "--rm", "--network", "none", image, "python", "-c", look % (unwanted,)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(size.stdout) < MAX_BYTES
    assert found.stdout.split() == ["[]", "None"]
