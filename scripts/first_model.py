"""Train the platform's first model, in a container and into the volume, if the volume has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.compose import StepFailed, compose, succeeds

# The data folder in the training container, and the file names of the example data.
_DATA, _TRAIN, _TEST = "/data", "train.csv", "test.csv"

_IN_CONTAINER = ("run", "--rm", "--no-deps", "-T")
_PYTHON = (*_IN_CONTAINER, "--entrypoint", "python", "training")


@dataclass(frozen=True)
class TrainingSettings:
    """What to train the first model on.

    Parameters
    ----------
    settings
        Settings to write into ``.env``: the folder of the data, or None for the volume of the example.
    train, test
        Names of files in that folder.
    is_example
        Whether the example data are used, and must be made first.
    """

    settings: dict[str, str | None]
    train: str
    test: str
    is_example: bool


def training_settings(root: Path, requested: str, folder: str = "") -> TrainingSettings:
    """Find the data: the requested file, else ``train.csv`` in the folder, else the synthetic example.

    Parameters
    ----------
    root
        The project folder.
    requested
        A CSV file of training rows; empty for none.
    folder
        Folder of the data, if it was chosen before; by default ``data``.

    Raises
    ------
    StepFailed
        If the requested file does not exist.
    """
    path = (root / requested) if requested else root / (folder or "data") / _TRAIN
    if path.is_file():
        test = _TEST if (path.parent / _TEST).is_file() else ""
        return TrainingSettings({"DATA": str(path.parent.resolve())}, path.name, test, is_example=False)
    if requested:
        raise StepFailed(f"TRAIN={requested} is not a file: name a CSV file of training rows, or leave TRAIN out.")
    return TrainingSettings({"DATA": None}, _TRAIN, _TEST, is_example=True)


def train_if_there_is_none(training: TrainingSettings) -> None:
    """Train a model into the volume ``models``, unless one is live there.

    Raises
    ------
    StepFailed
        If training fails.
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
    if training.is_example:
        # scikit-learn's threshold would flag 15 % of the example.
        options += ["--contamination", "0.001"]
    # Without monitoring, which is not up yet.
    alone = ("-e", "PUSHGATEWAY_URL=", "-e", "TRAINING_METRICS_HOLD=0")
    compose("Training the first model", *_IN_CONTAINER, *alone, "training", "train", *options)
