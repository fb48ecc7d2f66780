"""The benchmark of attacks starts an attacker for as long as it measures, and notices one that does not begin."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from benchmarks import attacks
from benchmarks.wrk import LoadFailed

CORE = min(os.sched_getaffinity(0))


def test_attacker_connects_while_the_block_runs_and_ends_with_it(require_program):
    """All its connections are open during the measurement, and none is left."""
    require_program("taskset")
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def accept():
            accepted.extend(server.accept()[0] for _ in range(3))

        thread = threading.Thread(target=accept)
        thread.start()
        with attacks.attacking("slow_heads", 3, server.getsockname()[1], seconds=20, core=CORE):
            thread.join()
        for client in accepted:
            client.settimeout(20)
            while client.recv(4096):
                pass
            client.close()


def test_unknown_attack_is_reported(require_program, capfd):
    """It does not pass for an attack that nobody notices."""
    require_program("taskset")
    with pytest.raises(LoadFailed, match="did not begin"), attacks.attacking("nonsense", 1, 1, seconds=1, core=CORE):
        pass
    assert "nonsense" in capfd.readouterr().err
