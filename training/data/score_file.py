"""Score a CSV file: copy it, with a label and a score added to each row."""

from __future__ import annotations

import csv
from pathlib import Path

from app.model.bundle import Bundle
from app.server.atomic_file import replacing
from training.data.dataset import read_features
from training.data.tables import CsvFile, open_csv_file
from training.errors import BadData, refusing_output
from training.fitting.evaluate import Evaluation, evaluate

LABEL_COLUMN, SCORE_COLUMN = "is_inlier", "anomaly_score"


def score_file(bundle: Bundle, source: Path, target: Path) -> Evaluation:
    """Copy a CSV file with ``is_inlier`` and ``anomaly_score`` as its last columns.

    Parameters
    ----------
    bundle
        The model; its features are found in the file by name, other columns may hold anything.
    source
        The file to score.
    target
        The file to write; replaced in one step if it exists.

    Raises
    ------
    BadData
        If the file lacks a feature, holds a cell that cannot be scored, or has one of the two columns.
    ModelsNotWritable
        If the result cannot be stored; ``target`` then is as it was.
    """
    file = open_csv_file(source)
    for column in (LABEL_COLUMN, SCORE_COLUMN):
        if column in file.header:
            raise BadData(f"{source} line 1: the column {column} exists already; rename or remove it.")
    evaluation = evaluate(bundle.forest, read_features(file, bundle.features.names).rows)
    with refusing_output(target), replacing(target) as unfinished:
        _write(unfinished, file, evaluation)
    return evaluation


def _write(target: Path, file: CsvFile, evaluation: Evaluation) -> None:
    """Write all cells as they were read, and the label and score of each row."""
    answers = zip(evaluation.labels.tolist(), evaluation.scores.tolist(), strict=True)
    with target.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow([*file.header, LABEL_COLUMN, SCORE_COLUMN])
        writer.writerows([*cells, *answer] for (_, cells), answer in zip(file.records(), answers, strict=True))
