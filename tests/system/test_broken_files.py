"""Files that somebody else wrote, or a disk broke, neither stop the service nor its recorder."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.running_service import REPOSITORY, RunningService, start_service, wait_until

pytestmark = pytest.mark.system

VERSION = "20261129T085415Z-012936da"
BUNDLE = REPOSITORY / "tests" / "compatibility" / "first_release" / "models" / VERSION


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid bundle that is live, and a state of the drift detectors that exceeds the recursion of the parser."""
    folder = tmp_path_factory.mktemp("broken_files")
    shutil.copytree(BUNDLE, folder / "models" / VERSION)
    (folder / "models" / "current").symlink_to(VERSION)
    (folder / "state").mkdir()
    (folder / "state" / "drift-state.json").write_text("[" * 10_000)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[RunningService]:
    """A service that starts with these files."""
    with start_service(folder, folder / "models") as running:
        yield running


def test_unreadable_state_of_the_detectors_is_set_aside(service: RunningService, folder: Path):
    """It is reported once and kept for a person; the recorder works."""
    wait_until(lambda: service.get("/drift").status_code == 200, "a drift report", service)

    assert service.predict([1.0, 1.0]).status_code == 200
    wait_until(lambda: service.get("/drift").json().get("rows_seen") == 1, "the row", service)
    assert (folder / "state" / "drift-state.json.unreadable").read_text() == "[" * 10_000
    assert service.log().count("drift-state.json cannot be used (RecursionError") == 1
    assert "Traceback" not in service.log()


@pytest.mark.parametrize("fault", ["NaN as feature", "pipe", "nested manifest"])
def test_bundle_that_cannot_be_used_is_refused(service: RunningService, folder: Path, fault: str):
    """Workers and recorder go on with the old model, and so does a worker that starts now."""
    recorder, refused = service.recorder(), service.metric("model_swaps_total", result="refused")
    _break(shutil.copytree(folder / "models" / VERSION, folder / "models" / fault), fault)
    (folder / "models" / "next").symlink_to(fault)
    os.replace(folder / "models" / "next", folder / "models" / "current")
    wait_until(lambda: service.metric("model_swaps_total", result="refused") >= refused + 2, "the refusals", service)
    workers = service.workers()
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len(set(service.workers()) - set(workers)) == 1, "another worker", service)
    service.session.close()

    wait_until(lambda: service.get("/readyz").status_code == 200, "readiness", service)
    for _ in range(10):
        answer = service.predict([1.0, 1.0])
        assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, VERSION)
        service.session.close()
    assert service.recorder() == recorder
    assert "Traceback" not in service.log()


def _break(bundle: Path, fault: str) -> None:
    """Put a fault into a bundle; its digests are right where they can be."""
    if fault == "NaN as feature":
        arrays = dict(np.load(bundle / "forest.npz"))
        np.savez(bundle / "forest.npz", **arrays | {"feature": np.full(len(arrays["feature"]), np.nan)})
        manifest = json.loads((bundle / "manifest.json").read_text())
        del manifest["manifest_sha256"]
        manifest["files"]["forest.npz"] = sha256((bundle / "forest.npz").read_bytes()).hexdigest()
        sealed = manifest | {"manifest_sha256": sha256(_encode(manifest)).hexdigest()}
        (bundle / "manifest.json").write_bytes(_encode(sealed))
    elif fault == "pipe":
        (bundle / "reference.npz").unlink()
        os.mkfifo(bundle / "reference.npz")
    else:
        (bundle / "manifest.json").write_text("[" * 100_000)


def _encode(manifest: dict[str, Any]) -> bytes:
    """Encode a manifest as training does."""
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"
