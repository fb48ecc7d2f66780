"""The recorder, its supervisor, workers and arbiter start, end and replace each other."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.system.recorder_load import (
    ROW,
    count_rows,
    start_service_with_recorder,
    wait_for_recorder,
    wait_until_recorded,
)
from tests.system.running_service import RunningService, children_of, command_of, start_service, wait_until

pytestmark = pytest.mark.system


def test_no_process_is_left_when_the_arbiter_is_killed(tmp_path: Path, credits_models: Path):
    """Even with a hanging worker, all processes end, and the drift detectors' state is saved."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        service.predict(ROW)
        wait_until(lambda: count_rows(service, "recorded") == 1, "the row", service)
        wait_until(lambda: service.get("/drift").json()["rows_seen"] == 1, "the detectors", service)
        behind, workers = [service.supervisor(), service.recorder()], service.workers()
        service.session.close()
        os.kill(workers[0], signal.SIGSTOP)
        try:
            service.process.kill()
            service.process.wait()
            wait_until(lambda: not any(_is_alive(pid) for pid in behind), f"the end of {behind}")
        finally:
            os.kill(workers[0], signal.SIGCONT)
        wait_until(lambda: not any(_is_alive(pid) for pid in workers), f"the end of {workers}")

        assert json.loads((tmp_path / "state" / "drift-state.json").read_text())["rows_seen"] == 1


def test_termination_saves_the_last_rows(tmp_path: Path, credits_models: Path):
    """SIGTERM to all processes, as systemd sends it: the rows of the last requests are in the saved state."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        processes = [service.supervisor(), service.recorder(), *service.workers()]
        for _ in range(5):
            service.predict(ROW)
        for pid in (service.supervisor(), service.recorder()):
            os.kill(pid, signal.SIGTERM)
        assert service.stop() == 0

        assert not any(_is_alive(pid) for pid in processes)
        assert json.loads((tmp_path / "state" / "drift-state.json").read_text())["rows_seen"] == 5
        assert "Warning" not in service.log()
        assert '"level": "error"' not in service.log()


@pytest.mark.long
def test_recorder_does_not_hold_the_port(tmp_path: Path, credits_models: Path):
    """Otherwise a crashed service could not be restarted."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        port = int(service.address.rsplit(":", 1)[1])
        for pid in (service.supervisor(), service.recorder()):
            assert not _sockets(pid) & _listeners(port)
        assert _sockets(service.process.pid) & _listeners(port)


@pytest.mark.long
def test_killed_supervisor_is_replaced_with_the_next_worker(tmp_path: Path, credits_models: Path):
    """Until then the recorder continues; afterwards there is one recorder, and workers connect to it."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        supervisor, recorder = service.supervisor(), service.recorder()
        os.kill(supervisor, signal.SIGKILL)
        service.predict(ROW)
        wait_until(lambda: count_rows(service, "recorded") == 1, "the row", service)
        service.session.close()
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "supervisor of the recorder has died" in service.log(), "the new supervisor", service)
        wait_until(lambda: not _is_alive(recorder), "the end of the old recorder", service)
        wait_for_recorder(service)
        wait_until(
            lambda: service.predict(ROW).ok and count_rows(service, "recorded") > 2, "rows recorded anew", service
        )

        assert service.supervisor() != supervisor
        assert not _zombies(service.process.pid)


@pytest.mark.long
def test_upgrade_has_its_own_recorder(tmp_path: Path, credits_models: Path):
    """SIGUSR2 starts a second arbiter; each has its own recorder, and the old one's ends with it."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        old = [service.supervisor(), service.recorder()]
        service.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: _other_arbiter(service), "the new arbiter", service)
        new_arbiter = _other_arbiter(service)
        try:
            wait_until(lambda: _recorders_below(new_arbiter), "the new recorder", service)
            service.session.close()
            service.process.terminate()
            assert service.process.wait(60) == 0
            assert not any(_is_alive(pid) for pid in old)
            wait_until(lambda: service.get("/drift").ok and service.get("/metrics").ok, "the new service")
            wait_until(lambda: service.predict(ROW).ok and count_rows(service, "recorded") > 0, "rows recorded anew")
        finally:
            processes = [new_arbiter, *children_of(new_arbiter)]
            os.kill(new_arbiter, signal.SIGTERM)
            wait_until(lambda: not any(_is_alive(pid) for pid in processes), "the end of the new service")


@pytest.mark.long
def test_two_services_have_separate_recorders(tmp_path: Path, credits_models: Path):
    """Each recorder gets only the rows of its own workers, even with a shared folder for state."""
    with (
        start_service_with_recorder(tmp_path, credits_models) as one,
        start_service_with_recorder(tmp_path, credits_models) as other,
    ):
        one.predict(ROW)
        wait_until_recorded(one)

        assert (count_rows(one, "recorded"), count_rows(other, "recorded")) == (1, 0)
        assert "another service uses it" not in one.log()
        assert "another service uses it" in other.log()
        assert "several replicas need PostgreSQL" not in one.log()
        wait_until(lambda: "several replicas need PostgreSQL" in other.log(), "the advice", other)


def test_recorder_that_fails_to_start_affects_nobody(tmp_path: Path, credits_models: Path):
    """It is restarted with growing pauses; predictions are answered, and rows are counted."""
    library = tmp_path / "broken"
    library.mkdir()
    # Only the recorder imports the drift detectors, so this breaks nothing else.
    (library / "sitecustomize.py").write_text("import sys\nsys.modules['app.drift.monitor'] = None\n")
    with start_service(tmp_path, credits_models, PYTHONPATH=str(library)) as service:
        wait_until(lambda: "restarted in 2.0 s" in service.log(), "the third attempt", service)
        assert service.predict(ROW).ok
        wait_until(
            lambda: count_rows(service, "sent") + count_rows(service, "dropped") == 1, "the row to be counted", service
        )

        assert service.metric("recorder_up") == 0
        assert service.get("/drift").status_code == 503
        assert service.stop() == 0


def _other_arbiter(service: RunningService) -> int | None:
    """Return the arbiter that is to replace the current one: a child that has a recorder itself."""
    return next((pid for pid in service.workers() if _recorders_below(pid)), None)


def _recorders_below(pid: int) -> list[int]:
    """Return the supervisors below an arbiter."""
    try:
        return [child for child in children_of(pid) if "app.recorder" in command_of(child)]
    except FileNotFoundError:
        return []


def _is_alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _zombies(pid: int) -> list[int]:
    """Return the zombies among a process's children."""
    return [child for child in children_of(pid) if not _is_alive(child)]


def _sockets(pid: int) -> set[str]:
    """Return the open sockets of a process."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:")}


def _listeners(port: int) -> set[str]:
    """Return the sockets that listen on a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
