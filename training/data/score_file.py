"""Score a table: copy it, with a label, a score and perhaps an explanation added to each row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import feather, parquet

from app.model.bundle import Bundle
from app.model.explain import Explainer
from app.model.explained_rows import explain_rows, flatten, to_lists
from app.model.scoring import Unfamiliar
from app.server.output_file import disarm, open_output
from training.data.addresses import TableFile
from training.data.dataset import read_features
from training.data.source import GUESS, Dialect
from training.data.tables import CsvFile, is_number, open_csv_file
from training.errors import BadArgument, BadData, refusing_output
from training.fitting.evaluate import Evaluation, evaluate

LABEL_COLUMN, SCORE_COLUMN, UNFAMILIAR_COLUMN = "is_inlier", "anomaly_score", "unfamiliar"

# By the end of the target's name.
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_COLUMNAR_WRITERS: dict[str, Callable[[pa.Table, Any], None]] = {
    ".parquet": parquet.write_table,
    ".feather": feather.write_feather,
    ".arrow": feather.write_feather,
}

# People who name such a file expect more than CSV in it.
_OTHER_FORMATS = {
    ".xlsx": "Excel",
    ".xls": "Excel",
    ".ods": "OpenDocument",
    ".json": "JSON",
    ".ndjson": "JSON",
    ".zip": "zip",
}

# The explanations of so many rows are in memory at once.
_BLOCK_ROWS = 1000


@dataclass(frozen=True)
class ScoredFile:
    """The labels and scores of a file.

    Parameters
    ----------
    evaluation
        Labels and scores.
    unfamiliar
        By position of a row that has any: why values are unlike those in training, by column.
    """

    evaluation: Evaluation
    unfamiliar: Mapping[int, Unfamiliar]


def score_file(
    bundle: Bundle,
    source: TableFile,
    target: Path,
    *,
    is_raw: bool = False,
    explains: bool = False,
    dialect: Dialect = GUESS,
) -> ScoredFile:
    """Copy a table with ``is_inlier`` and ``anomaly_score`` as its last columns, and ``unfamiliar`` if a row has such.

    Parameters
    ----------
    bundle
        The model; its features are found in the file by name, other columns may hold anything.
    source
        The file to score.
    target
        Where to write; a file is replaced in one step if it exists. Names that end with ``.parquet``, ``.feather`` or
        ``.arrow`` make files of typed columns, ``.gz`` and ``.zst`` compressed CSV, all others CSV.
    is_raw
        Copy cells as they are. By default an apostrophe is put before a text that a spreadsheet takes for a formula.
    explains
        Also add the columns of explanations, as ``/predictions`` returns them in CSV.
    dialect
        How the file is written, as far as it is known.

    Raises
    ------
    BadArgument
        If the name of the target ends like that of a format that is not written.
    BadData
        If the file lacks a feature, holds a cell that cannot be scored, or has one of the new columns.
    CannotExplain
        If ``explains`` is true and the bundle is of format 1.
    ModelsNotWritable
        If the result cannot be stored; ``target`` then is as it was.
    """
    if (called := _OTHER_FORMATS.get(target.suffix.lower())) is not None:
        raise BadArgument(
            f"--out {target}: {called} cannot be written; use .csv, .csv.gz, .csv.zst, .parquet or .feather."
        )
    file = open_csv_file(source, dialect)
    rows = read_features(file, bundle.features).rows
    unfamiliar = bundle.known_values.find_rows(rows)
    evaluation = evaluate(bundle.forest, rows)
    write_columns = _COLUMNAR_WRITERS.get(target.suffix.lower())
    # Spreadsheets do not run what such a file holds.
    convert = str if is_raw or write_columns else _disarm_text
    explained = _Explained(bundle.explainer, rows, evaluation, convert) if explains else None
    added = (LABEL_COLUMN, SCORE_COLUMN, *(explained.header if explained else ()))
    if unfamiliar:
        added = (*added, UNFAMILIAR_COLUMN)
    for column in added:
        if column in file.header:
            raise BadData(f"{source} line 1: the column {column} exists already; rename or remove it.")
    with refusing_output(target), open_output(target) as opened:
        answers: Iterator[Sequence[Any]] = zip(evaluation.labels.tolist(), evaluation.scores.tolist(), strict=True)
        if explained:
            answers = ((*answer, *more) for answer, more in zip(answers, explained, strict=True))
        if unfamiliar:
            texts = (
                json.dumps(unfamiliar[at], ensure_ascii=False, separators=(",", ":")) if at in unfamiliar else ""
                for at in range(len(rows))
            )
            answers = ((*answer, text) for answer, text in zip(answers, texts, strict=True))
        if write_columns:
            write_columns(
                _to_table(file, bundle, rows, dict(zip(added, zip(*answers, strict=True), strict=True))), opened.buffer
            )
        else:
            with _compressing(opened, target) as text:
                _write(text, file, added, answers, convert)
    return ScoredFile(evaluation, unfamiliar)


class _Explained:
    """The cells that explain each row, computed block by block.

    Parameters
    ----------
    explainer, rows, evaluation
        Of the model; the rows, and their scores.
    convert
        Applied to texts.
    """

    def __init__(
        self,
        explainer: Explainer,
        rows: NDArray[np.float64],
        evaluation: Evaluation,
        convert: Callable[[str], str],
    ) -> None:
        self._explainer, self._rows, self._evaluation, self._convert = explainer, rows, evaluation, convert
        self.header = tuple(self._explain(slice(1)))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for first in range(0, len(self._rows), _BLOCK_ROWS):
            yield from zip(*self._explain(slice(first, first + _BLOCK_ROWS)).values(), strict=True)

    def _explain(self, block: slice) -> dict[str, list[Any]]:
        """Explain some rows; return the new columns."""
        return flatten(
            to_lists(explain_rows(self._explainer, self._rows[block], self._evaluation.scores[block])), self._convert
        )


@contextmanager
def _compressing(opened: TextIOWrapper, target: Path) -> Iterator[TextIO]:
    """Compress what is written if the name of the target says so."""
    compression = _COMPRESSIONS.get(target.suffix.lower())
    if compression is None:
        yield opened
        return
    compressed: Any = pa.CompressedOutputStream(opened.buffer, compression)
    with TextIOWrapper(compressed, encoding="utf-8", newline="") as text:
        yield text


def _to_table(file: CsvFile, bundle: Bundle, rows: NDArray[np.float64], added: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Return the columns of a file with the new ones.

    Those of Parquet, Feather and Arrow keep their types. Of CSV, the model's numbers are numbers, and others are texts.
    """
    if file.columns is not None:
        table = file.columns
    else:
        cells = zip(*(cells for _, cells in file.records()), strict=True)
        texts = dict(zip(file.header, cells, strict=True))
        levels = bundle.features.levels or (None,) * rows.shape[1]
        numbers = {
            name: values
            for name, values, known in zip(bundle.features.names, rows.T, levels, strict=True)
            if known is None
        }
        table = pa.table({name: numbers.get(name, texts[name]) for name in file.header})
    for name, values in added.items():
        table = table.append_column(name, pa.array(values))
    return table


def _disarm_text(cell: str) -> str:
    """Disarm a cell unless it is a number, which may start with a sign."""
    return cell if is_number(cell) else disarm(cell)


def _write(
    opened: TextIO,
    file: CsvFile,
    added: Sequence[str],
    answers: Iterator[Sequence[Any]],
    convert: Callable[[str], str],
) -> None:
    """Write all cells, and the new ones of each row."""
    writer = csv.writer(opened, lineterminator="\n", delimiter=file.dialect.separator)
    writer.writerow([*map(convert, file.header), *added])
    writer.writerows(
        [*map(convert, cells), *answer] for (_, cells), answer in zip(file.records(), answers, strict=True)
    )
