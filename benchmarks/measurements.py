"""Measure servers in turns: start one, compare its answers, measure it, stop it; and collect the samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from benchmarks import running_server, wrk
from benchmarks.contestants import Contestant, body_lines
from benchmarks.core_usage import watch_core, watch_processes
from benchmarks.environments import CannotInstall, prepare, version_of
from benchmarks.running_server import ServerFailed
from benchmarks.trained_model import TrainedModel
from benchmarks.wrk import LoadFailed, Sample

# Before each measurement, so that connections are open and caches are warm.
_WARM_UP_SECONDS = 1

# A measurement is repeated if other programs use more of the core, up to the number of tries. The service's own
# background work, which the operating system may count late, stays below this share.
_TOLERATED_SHARE = 0.05
_TRIES = 3


class Measurements:
    """The samples of all contestants, and why some have none.

    Parameters
    ----------
    contestants
        The servers to measure.
    connections
        Numbers of concurrent clients, one measurement each.
    seconds
        Duration of a measurement.
    cores
        Cores of the server and of the load.
    """

    def __init__(
        self, contestants: Sequence[Contestant], connections: Sequence[int], seconds: int, cores: tuple[int, int]
    ) -> None:
        self.contestants, self.connections = contestants, connections
        self._seconds, self._cores = seconds, cores
        self.samples: dict[int, dict[str, list[Sample]]] = {count: defaultdict(list) for count in connections}
        # Of the servers' core, one per measurement.
        self.others_shares: list[float] = []
        # By name, one reason for each turn that was lost.
        self.failures: dict[str, list[str]] = defaultdict(list)
        self.versions: dict[str, str] = {}
        self._programs: dict[str, Path] = {}

    def install(self) -> None:
        """Prepare each contestant's environment; one that cannot be installed is skipped."""
        for contestant in self.contestants:
            try:
                self._programs[contestant.name] = prepare(contestant.venv, contestant.locks)
                self.versions[contestant.package] = version_of(self._programs[contestant.name], contestant.package)
            except CannotInstall as reason:
                self._record_failure(contestant, f"not installed: {reason}")

    def play_round(self, model: TrainedModel, work: Path) -> None:
        """Measure each installed contestant once; a turn may fail."""
        for contestant in self.contestants:
            if contestant.name not in self._programs:
                continue
            try:
                self._take_turn(contestant, model, work)
            except (ServerFailed, LoadFailed) as reason:
                self._record_failure(contestant, str(reason))

    def _take_turn(self, contestant: Contestant, model: TrainedModel, work: Path) -> None:
        """Start one server, check it, measure it with each number of connections, and stop it."""
        bodies = work / f"{contestant.name}.bodies"
        bodies.write_text(body_lines(contestant.interface, model.rows.tolist()), encoding="utf-8")
        programs = self._programs[contestant.name]
        with running_server.start(contestant, programs, model, work, self._cores[0]) as server:
            url = f"http://127.0.0.1:{server.port}{contestant.interface.path}"
            for count in self.connections:
                sample, others = self._measure_in_peace(url, server.pid, bodies, count)
                self.others_shares.append(others)
                self.samples[count][contestant.name].append(sample)
                print(
                    f"{contestant.name:<24} {count:>3} connections {sample.requests_per_second:>8.0f} requests/s  "
                    f"{sample.cpu_us:>5.0f} us CPU  p50 {sample.p50_ms:.1f} ms  p99 {sample.p99_ms:.1f} ms  "
                    f"{sample.refused} refused  {sample.broken} broken  others {others:.0%}",
                    flush=True,
                )

    def _measure_in_peace(self, url: str, pid: int, bodies: Path, connections: int) -> tuple[Sample, float]:
        """Measure, again if other programs used too much of the core; return the sample with their lowest share."""
        server_core, load_core = self._cores
        best: tuple[Sample, float] | None = None
        for _ in range(_TRIES):
            with suppress(LoadFailed):  # a slow server may answer nothing in this short time
                wrk.measure(url, bodies, connections, _WARM_UP_SECONDS, load_core)
            with watch_core(server_core) as others, watch_processes(pid) as processor:
                sample = wrk.measure(url, bodies, connections, self._seconds, load_core)
            sample = replace(sample, cpu_us=processor.seconds * 1e6 / sample.requests)
            if best is None or others.value < best[1]:
                best = sample, others.value
            if others.value <= _TOLERATED_SHARE:
                break
        assert best is not None
        return best

    def _record_failure(self, contestant: Contestant, reason: str) -> None:
        """Store and print why there is no sample."""
        self.failures[contestant.name].append(reason)
        print(f"{contestant.name:<24} not measured: {reason}", flush=True)
