"""The first model of the platform: trained in a container, into the volume, when the volume holds none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.compose import StepFailed, compose, succeeds

# Where the training's container finds the data, and the name that the example's files have.
_DATA, _TRAIN, _TEST = "/data", "train.csv", "test.csv"

_IN_CONTAINER = ("run", "--rm", "--no-deps", "-T")
_PYTHON = (*_IN_CONTAINER, "--entrypoint", "python", "training")


@dataclass(frozen=True)
class TrainingSettings:
    """What to train the first model on.

    Parameters
    ----------
    settings
        What has to stand in ``.env`` for it: the folder of the data, or None for the example's volume.
    train, test
        Names of files in that folder.
    is_example
        Whether the example data have to be made.
    """

    settings: dict[str, str | None]
    train: str
    test: str
    is_example: bool


def training_settings(root: Path, asked: str, folder: str = "") -> TrainingSettings:
    """Find the data: the file that was asked for, else ``train.csv`` of the folder, else the synthetic example.

    Parameters
    ----------
    root
        The project's folder.
    asked
        A CSV file of training rows, or nothing.
    folder
        Where the data lie, when that was said before; by default ``data``.

    Raises
    ------
    StepFailed
        If the file that was asked for is not there.
    """
    path = (root / asked) if asked else root / (folder or "data") / _TRAIN
    if path.is_file():
        test = _TEST if (path.parent / _TEST).is_file() else ""
        return TrainingSettings({"DATA": str(path.parent.resolve())}, path.name, test, is_example=False)
    if asked:
        raise StepFailed(f"TRAIN={asked} is no file: name a CSV file of training rows, or leave TRAIN out.")
    return TrainingSettings({"DATA": None}, _TRAIN, _TEST, is_example=True)


def train_if_there_is_none(training: TrainingSettings) -> None:
    """Train a model into the volume ``models`` unless one is live there.

    Raises
    ------
    StepFailed
        If it cannot be trained.
    """
    is_live = "import os, sys; sys.exit(not os.path.exists('/models/current'))"
    if succeeds(*_IN_CONTAINER, "--entrypoint", "python", "service", "-c", is_live):
        return
    compose("Building the image of the training", "--profile", "training", "build", "training")
    if training.is_example:
        compose("Making the example data", *_PYTHON, "-m", "training.data.synthetic", "--out", _DATA)
    options = ["--train", f"{_DATA}/{training.train}"]
    if training.test:
        options += ["--test", f"{_DATA}/{training.test}"]
    # Without the watchers, which are not up yet.
    alone = ("-e", "PUSHGATEWAY_URL=", "-e", "TRAINING_METRICS_HOLD=0")
    compose("Training the first model", *_IN_CONTAINER, *alone, "training", "train", *options)
