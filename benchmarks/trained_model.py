"""The model that every server serves, the rows of the requests, and scikit-learn's answers to them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray

from benchmarks.contestants import ROOT, Answer, Interface

# Enough different requests to make caching the last one useless.
_ROWS = 256

# Every run sends the same requests.
_SEED = 0

# Guaranteed by the compiled forest; servers with scikit-learn are as accurate.
_SCORE_TOLERANCE = 1e-12


class CannotTrain(Exception):
    """There is no model to measure with; the message says why."""


@dataclass(frozen=True)
class TrainedModel:
    """A model in both formats, rows to request, and the right answers.

    Parameters
    ----------
    bundles
        A models folder with one version, which ``current`` points to.
    estimator_file
        The same model as scikit-learn's estimator.
    training_rows
        Shape ``(n_training_rows, n_features)``.
    rows
        Shape ``(n_rows, n_features)``, all different, in random order.
    labels, scores
        ``predict`` and ``score_samples`` of the rows.
    """

    bundles: Path
    estimator_file: Path
    training_rows: NDArray[np.float64]
    rows: NDArray[np.float64]
    labels: list[int]
    scores: list[float]


def train(csv: Path, folder: Path) -> TrainedModel:
    """Train with ``python -m training train``, as users do.

    Parameters
    ----------
    csv
        Training rows.
    folder
        Folder for the bundle.

    Raises
    ------
    CannotTrain
        If the file is missing or training fails.
    """
    if not csv.is_file():
        raise CannotTrain(f"{csv} does not exist: make it with `make data`, or name another file with --train FILE.")
    command = [sys.executable, "-m", "training", "train", "--train", str(csv.resolve()), "--models", str(folder)]
    done = subprocess.run(
        # A usual contamination if few rows are abnormal; the offset is then a score of a training row.
        [*command, "--contamination", "0.001", "--no-drift"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotTrain(done.stderr.strip())
    estimator_file = folder / "current" / "model.joblib"
    estimator = joblib.load(estimator_file)
    training_rows = np.loadtxt(csv, delimiter=",", skiprows=1, ndmin=2)
    distinct = np.unique(training_rows, axis=0)
    # Evenly over the sorted rows, to include normal and abnormal ones; then in random order, because a processor
    # predicts branches better for sorted rows.
    rows = distinct[np.unique(np.linspace(0, len(distinct) - 1, _ROWS).astype(int))]
    np.random.default_rng(_SEED).shuffle(rows)
    return TrainedModel(
        folder,
        estimator_file,
        training_rows,
        rows,
        estimator.predict(rows).tolist(),
        estimator.score_samples(rows).tolist(),
    )


def draw_batch(training_rows: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Draw rows like traffic: distributed like the training rows, with repetitions, in random order."""
    return np.random.default_rng(_SEED).choice(training_rows, n_rows)


def find_difference(interface: Interface, given: object, label: int, score: float) -> str | None:
    """Describe how an answer differs from scikit-learn's, if it does.

    Parameters
    ----------
    interface
        How the answer is read.
    given
        The decoded answer.
    label, score
        scikit-learn's.
    """
    try:
        answer: Answer = interface.read(given)
    except (KeyError, IndexError, TypeError) as error:
        return f"the answer {given} cannot be read ({type(error).__name__}: {error})"
    if answer[0] not in (None, label):
        return f"label {answer[0]} where scikit-learn says {label}"
    if answer[1] is not None and not abs(answer[1] - score) <= _SCORE_TOLERANCE:
        return f"score {answer[1]} where scikit-learn says {score}"
    return None
