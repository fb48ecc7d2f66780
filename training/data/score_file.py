"""Score a CSV file: copy it, with a label and a score added to each row."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from app.model.bundle import Bundle
from app.server.output_file import disarm, open_output
from training.data.dataset import read_features
from training.data.tables import CsvFile, is_number, open_csv_file
from training.errors import BadData, refusing_output
from training.fitting.evaluate import Evaluation, evaluate

LABEL_COLUMN, SCORE_COLUMN = "is_inlier", "anomaly_score"


def score_file(bundle: Bundle, source: Path, target: Path, *, is_raw: bool = False) -> Evaluation:
    """Copy a CSV file with ``is_inlier`` and ``anomaly_score`` as its last columns.

    Parameters
    ----------
    bundle
        The model; its features are found in the file by name, other columns may hold anything.
    source
        The file to score.
    target
        Where to write; a file is replaced in one step if it exists.
    is_raw
        Copy cells as they are. By default an apostrophe is put before a text that a spreadsheet takes for a formula.

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
    with refusing_output(target), open_output(target) as opened:
        _write(opened, file, evaluation, str if is_raw else _disarm_text)
    return evaluation


def _disarm_text(cell: str) -> str:
    """Disarm a cell unless it is a number, which may start with a sign."""
    return cell if is_number(cell) else disarm(cell)


def _write(opened: TextIO, file: CsvFile, evaluation: Evaluation, convert: Callable[[str], str]) -> None:
    """Write all cells, and the label and score of each row."""
    answers = zip(evaluation.labels.tolist(), evaluation.scores.tolist(), strict=True)
    writer = csv.writer(opened, lineterminator="\n")
    writer.writerow([*map(convert, file.header), LABEL_COLUMN, SCORE_COLUMN])
    writer.writerows(
        [*map(convert, cells), *answer] for (_, cells), answer in zip(file.records(), answers, strict=True)
    )
