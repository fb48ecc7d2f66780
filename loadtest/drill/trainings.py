"""Trainings of the drill: the model that answers, a newer one, one that waits for ever, and one that fails."""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

from loadtest.drill.programs import HOST, DrillRefused, RunningProgram, environment, free_port
from loadtest.payloads import Row

# Any fixed number: two drills train the same model.
_SEED = 16

# As few as drift detectors are calibrated with, and two in a hundred far from the others.
_ROWS, _OUTLIERS, _OUTLIER_DISTANCE = 4000, 80, 3.5

# Detectors that are calibrated within seconds, and whose window is filled within a second.
_DRIFT = ("--drift-ert", "1000", "--drift-window", "50")

# A training takes five seconds, on a busy machine several times that.
_TRAINING_SECONDS = 180

# A training that failed is looked at until the drill ends it.
_HOLD_SECONDS = 3600


class Trainings:
    """Starts trainings whose models go live for all replicas.

    Parameters
    ----------
    folder
        Takes files of rows, models and logs.
    pushgateway
        ``host:port`` where last words go, or nothing.
    """

    def __init__(self, folder: Path, pushgateway: str) -> None:
        self.models = folder / "models"
        self._folder, self._pushgateway = folder, pushgateway
        self._ports = {"waiting": free_port(), "failing": free_port()}
        self._running: list[RunningProgram] = []
        self.rows = ordinary_rows(_ROWS, random.Random(_SEED))
        self._file = _write_rows(folder / "train.csv", self.rows)

    @property
    def addresses(self) -> list[str]:
        """Where Prometheus asks trainings, ``host:port`` each."""
        return [f"{HOST}:{port}" for port in self._ports.values()]

    def train_live_model(self, seed: int = _SEED) -> None:
        """Train a model and let it go live.

        Raises
        ------
        DrillRefused
            If the training fails.
        """
        program = self._start("live", self._file, "--seed", str(seed))
        if program.wait(_TRAINING_SECONDS) != 0:
            raise DrillRefused(f"The training of the drill's model failed: {program.log} tells why.")

    def start_waiting(self, pipe: Path) -> RunningProgram:
        """Start a training that reads a named pipe, and waits as long as nobody writes."""
        os.mkfifo(pipe)
        return self._start("waiting", pipe, "--no-drift", "--metrics-port", str(self._ports["waiting"]))

    def start_failing(self) -> RunningProgram:
        """Start a training whose file is no table, and which tells of its failure until it is ended."""
        file = self._folder / "no-table.csv"
        file.write_text("mean,sd\n0.5\n", encoding="utf-8")
        options = ("--metrics-port", str(self._ports["failing"]), "--metrics-hold", str(_HOLD_SECONDS))
        return self._start("failing", file, *options)

    def promote_broken_model(self) -> Path:
        """Make a copy of the live model in which a byte differs the live one; every worker refuses it.

        Returns
        -------
        The folder of the model that was live.
        """
        live = (self.models / "current").resolve()
        broken = self.models / f"{live.name[:-8]}deadbeef"
        shutil.copytree(live, broken)
        forest = bytearray((broken / "forest.npz").read_bytes())
        forest[len(forest) // 2] ^= 1
        (broken / "forest.npz").write_bytes(forest)
        self.promote(broken)
        return live

    def promote(self, model: Path) -> None:
        """Make a model the live one, at once."""
        replace_link(self.models / "current", Path(model.name))

    def write_rows(self, pipe: Path) -> None:
        """Write the rows into a file or a named pipe."""
        _write_rows(pipe, self.rows)

    def end(self) -> None:
        """End all that run."""
        for program in self._running:
            program.end()

    def _start(self, title: str, file: Path, *options: str) -> RunningProgram:
        """Start a training."""
        variables = {"TRAINING_METRICS_PORT": "0"}
        if self._pushgateway:
            variables["PUSHGATEWAY_URL"] = f"http://{self._pushgateway}"
        files, share = ("--train", str(file), "--models", str(self.models)), str(_OUTLIERS / _ROWS)
        program = RunningProgram(
            f"training-{title}",
            [sys.executable, "-m", "training", "train", *files, "--contamination", share, *_DRIFT, *options],
            self._folder / f"training-{title}.log",
            environment(**variables),
        )
        self._running.append(program)
        return program


def ordinary_rows(n_rows: int, generator: random.Random) -> list[Row]:
    """Make rows of two numbers like those of the training, outliers among them.

    Examples
    --------
    >>> len(ordinary_rows(50, random.Random(16)))
    50
    """
    rows: list[Row] = []
    for _ in range(n_rows):
        middle = _OUTLIER_DISTANCE if generator.random() < _OUTLIERS / _ROWS else 0.0
        rows.append((generator.gauss(middle, 1), generator.gauss(middle, 1)))
    return rows


def replace_link(link: Path, target: Path) -> None:
    """Let a symbolic link lead elsewhere, so that nobody finds it missing meanwhile."""
    new = link.with_name(f"{link.name}.new")
    new.symlink_to(target)
    os.replace(new, link)


def _write_rows(path: Path, rows: list[Row]) -> Path:
    """Write a CSV file and return its path."""
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(["mean,sd", *lines, ""]), encoding="utf-8")
    return path
