"""Turns of servers: start one, compare its answers, measure it, end it; and what came of all turns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks import running_server, wrk
from benchmarks.contestants import Contestant, body_lines
from benchmarks.core_usage import watch_core
from benchmarks.environments import CannotInstall, prepare, version_of
from benchmarks.running_server import ServerFailed
from benchmarks.trained_model import TrainedModel
from benchmarks.wrk import LoadFailed, Sample

# Before each measurement, so that connections are open and caches hold what they will hold.
_WARM_UP_SECONDS = 1

# A measurement beside a busier program is made again, so often at most. The service's own background work, which the
# operating system may count late, stays below this share.
_TOLERATED_SHARE = 0.05
_TRIES = 3


class Measurements:
    """Samples of all contestants, and why some have none.

    Parameters
    ----------
    contestants
        Who takes part.
    connections
        How many clients ask at a time, one measurement each.
    seconds
        How long a measurement takes.
    cores
        For the server and for the load.
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
        """Give each contestant that is installed one turn; a turn may be lost."""
        for contestant in self.contestants:
            if contestant.name not in self._programs:
                continue
            try:
                self._take_turn(contestant, model, work)
            except (ServerFailed, LoadFailed) as reason:
                self._record_failure(contestant, str(reason))

    def _take_turn(self, contestant: Contestant, model: TrainedModel, work: Path) -> None:
        """Start one server, check it, measure it at each number of connections, and end it."""
        bodies = work / f"{contestant.name}.bodies"
        bodies.write_text(body_lines(contestant.interface, model.rows.tolist()), encoding="utf-8")
        programs = self._programs[contestant.name]
        with running_server.start(contestant, programs, model, work, self._cores[0]) as port:
            url = f"http://127.0.0.1:{port}{contestant.interface.path}"
            for count in self.connections:
                sample, others = self._measure_in_peace(url, bodies, count)
                self.others_shares.append(others)
                self.samples[count][contestant.name].append(sample)
                print(
                    f"{contestant.name:<24} {count:>3} connections {sample.requests_per_second:>8.0f} requests/s  "
                    f"p50 {sample.p50_ms:.1f} ms  p99 {sample.p99_ms:.1f} ms  "
                    f"{sample.refused} refused  {sample.broken} broken  others {others:.0%}",
                    flush=True,
                )

    def _measure_in_peace(self, url: str, bodies: Path, connections: int) -> tuple[Sample, float]:
        """Measure, again if other programs took too much of the core, and give the sample with their least share."""
        server_core, load_core = self._cores
        best: tuple[Sample, float] | None = None
        for _ in range(_TRIES):
            with suppress(LoadFailed):  # a slow server may answer nothing in so short a time
                wrk.measure(url, bodies, connections, _WARM_UP_SECONDS, load_core)
            with watch_core(server_core) as others:
                sample = wrk.measure(url, bodies, connections, self._seconds, load_core)
            if best is None or others.value < best[1]:
                best = sample, others.value
            if others.value <= _TOLERATED_SHARE:
                break
        assert best is not None
        return best

    def _record_failure(self, contestant: Contestant, reason: str) -> None:
        """Remember and say why there is no sample."""
        self.failures[contestant.name].append(reason)
        print(f"{contestant.name:<24} not measured: {reason}", flush=True)
