"""The image of the service runs where little is allowed, and holds nothing that the service does not need."""

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

# The limit of the whole image, base included.
MOST_BYTES = 350_000_000

ASK = """
import json, urllib.request as u
body = json.dumps({"feature_vector": [0.56, 0.23], "score": True}).encode()
request = u.Request("http://127.0.0.1:8000/prediction", body, {"Content-Type": "application/json"})
print(u.urlopen(request).read().decode())
print(json.load(u.urlopen("http://127.0.0.1:8000/model_information"))["model"]["kernel"])
"""


@pytest.fixture(scope="module")
def image(docker: Path) -> str:
    """The image, built from this tree."""
    # Only a build on a machine that reaches package registries through the host needs the host's network.
    built = subprocess.run(
        [docker, "build", "--network", "host", "--quiet", "--tag", TAG, str(ROOT)], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return TAG


@pytest.fixture
def container(docker: Path, image: str, credits_models: Path, tmp_path: Path) -> Iterator[str]:
    """A container that may write nowhere and do nothing special."""
    models = tmp_path / "models"
    copytree(credits_models, models, symlinks=True)
    for path in [tmp_path.parent, tmp_path, models, *models.rglob("*")]:
        path.chmod(0o755)  # the container's user is nobody here
    run = subprocess.run(
        [
            *(docker, "run", "--detach", "--read-only", "--cap-drop", "ALL", "--network", "none"),
            # State and records lie in volumes without a name, which go with the container.
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


def test_read_only_container_without_rights_answers(docker: Path, container: str):
    """As nobody, without a home, with the compiled kernel, and without a word of complaint."""
    deadline = time.monotonic() + 60
    while (asked := _inside(docker, container, "python", "-c", ASK)).returncode != 0:
        assert time.monotonic() < deadline, asked.stderr
        time.sleep(0.1)
    answer, kernel = asked.stdout.splitlines()

    assert json.loads(answer).keys() == {"is_inlier", "anomaly_score"}
    assert kernel == "compiled"
    logged = subprocess.run([docker, "logs", container], capture_output=True, text=True, check=True)
    levels = {json.loads(line)["level"] for line in (logged.stdout + logged.stderr).splitlines()}
    assert levels == {"info"}
    assert _inside(docker, container, "python", "-c", "import os; print(os.getuid())").stdout == "65534\n"


def test_volume_of_records_is_closed_to_all_but_the_service_and_trainings(docker: Path, container: str):
    """The service owns it; what it puts there gets the group that trainings have, and others do not even enter."""
    look = "import os; s = os.stat('/records'); print(oct(s.st_mode), s.st_uid, s.st_gid)"

    assert _inside(docker, container, "python", "-c", look).stdout == "0o42750 65534 1000\n"
    written = "open('/records/new', 'w').close(); import os; print(os.stat('/records/new').st_gid)"
    assert _inside(docker, container, "python", "-c", written).stdout == "1000\n"


def test_image_is_small_and_holds_only_the_service(docker: Path, image: str):
    """No compiler, no pip, no training, nothing that trains or draws."""
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

    assert int(size.stdout) < MOST_BYTES
    assert found.stdout.split() == ["[]", "None"]
