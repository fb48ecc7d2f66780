"""The platform that all tests of this folder share, because starting it takes minutes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform.running_platform import RunningPlatform


@pytest.fixture(scope="session")
def platform(docker: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform that `make up` has started from scratch."""
    folder = tmp_path_factory.mktemp("platform")
    # Users in containers need access to the folder too.
    for path in (folder, folder.parent):
        path.chmod(0o755)
    running = RunningPlatform(folder)
    try:
        up = running.run("make", "up", timeout=500)
        assert up.returncode == 0, up.stdout + up.stderr
        assert running.url("SERVICE_PORT", "/") in up.stdout
        assert str(folder / "secrets" / "admin_password") in up.stdout
        yield running
    finally:
        running.remove()
