"""The drill's training runs: for the live model, for a newer one, one that waits for rows, and one that fails."""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

from loadtest.drill.programs import HOST, DrillRefused, RunningProgram, environment, free_port
from loadtest.rows import Row

# Any fixed number: two drills train the same model.
_SEED = 16

# The minimum for calibrating drift detectors, with 2 % outliers far from the other rows.
_ROWS, _OUTLIERS, _OUTLIER_DISTANCE = 4000, 80, 3.5

# Detectors that are calibrated within seconds and whose window fills within a second.
_DRIFT = ("--drift-ert", "1000", "--drift-window", "50")

# A training run takes five seconds, several times that on a busy machine.
_TRAINING_SECONDS = 180

# A failed training run keeps serving its metrics until the drill ends it.
_HOLD_SECONDS = 3600


class Trainings:
    """Start training runs, whose models go live on all replicas.

    Parameters
    ----------
    folder
        Folder for rows, models and logs.
    pushgateway
        ``host:port`` of the Pushgateway, or "".
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
        """The ``host:port`` of the training runs' metrics."""
        return [f"{HOST}:{port}" for port in self._ports.values()]

    def train_live_model(self, seed: int = _SEED) -> None:
        """Train a model that goes live.

        Raises
        ------
        DrillRefused
            If the training run fails.
        """
        program = self._start("live", self._file, "--seed", str(seed), "--promote")
        if program.wait(_TRAINING_SECONDS) != 0:
            raise DrillRefused(f"Training the drill's model failed: see {program.log}.")

    def start_waiting(self, pipe: Path) -> RunningProgram:
        """Start a training run that reads a named pipe, and waits until something is written to it."""
        os.mkfifo(pipe)
        return self._start("waiting", pipe, "--no-drift", "--metrics-port", str(self._ports["waiting"]))

    def start_failing(self) -> RunningProgram:
        """Start a training run with an invalid file, which serves its failure metrics until it is ended."""
        file = self._folder / "no-table.csv"
        file.write_text("mean,sd\n0.5\n", encoding="utf-8")
        options = ("--metrics-port", str(self._ports["failing"]), "--metrics-hold", str(_HOLD_SECONDS))
        return self._start("failing", file, *options)

    def promote_broken_model(self) -> Path:
        """Promote a copy of the live model with a changed byte, which every worker refuses.

        Returns
        -------
        The folder of the previous live model.
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
        """Make a model live, atomically."""
        replace_link(self.models / "current", Path(model.name))

    def write_rows(self, pipe: Path) -> None:
        """Write the rows to a file or a named pipe."""
        _write_rows(pipe, self.rows)

    def end(self) -> None:
        """End all training runs."""
        for program in self._running:
            program.end()

    def _start(self, title: str, file: Path, *options: str) -> RunningProgram:
        """Start a training run."""
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
    """Generate rows of two numbers, with outliers, distributed like the training rows.

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
    """Redirect a symbolic link atomically."""
    new = link.with_name(f"{link.name}.new")
    new.symlink_to(target)
    os.replace(new, link)


def _write_rows(path: Path, rows: list[Row]) -> Path:
    """Write a CSV file and return its path."""
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(["mean,sd", *lines, ""]), encoding="utf-8")
    return path
