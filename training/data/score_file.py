"""Score a table: copy it, with a label, a score and perhaps an explanation added to each row.

The table is read in blocks, which are scored in threads and written in their order: memory does not grow with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.bundle import Bundle
from app.model.forest import OUTLIER
from app.server.output_file import is_stream
from training.data.addresses import TableFile, open_result
from training.data.bad_rows import BadRow, Rejects, check_some_are_left, separate_bad_rows
from training.data.block_rows import read_rows
from training.data.blocks import Block, read_blocks
from training.data.column_problems import check_has_features
from training.data.score_columns import AS_USUAL, HowToScore, add_columns
from training.data.score_writers import Added, ColumnarWriter, CsvWriter, check_format, is_columnar
from training.data.tables import CsvFile
from training.data.threads import Threads
from training.errors import BadArgument, BadData, refusing_output


@dataclass
class ScoredFile:
    """What was found in a table.

    Parameters
    ----------
    n_rows, n_flagged
        Rows that were scored, and those of them that are outliers.
    n_unfamiliar, unfamiliar_columns
        Rows with values that training did not see, and the columns of these values.
    n_bad
        Rows that were left out, as they cannot be scored.
    """

    n_rows: int = 0
    n_flagged: int = 0
    n_unfamiliar: int = 0
    unfamiliar_columns: set[str] = field(default_factory=set)
    n_bad: int = 0

    def add(self, other: ScoredFile) -> None:
        """Count what was found in another part."""
        self.n_rows += other.n_rows
        self.n_flagged += other.n_flagged
        self.n_unfamiliar += other.n_unfamiliar
        self.unfamiliar_columns |= other.unfamiliar_columns
        self.n_bad += other.n_bad


@dataclass(frozen=True)
class _ScoredBlock:
    """A block as it is written, with what was found in it."""

    file: CsvFile
    added: tuple[str, ...]
    rendered: Any
    found: ScoredFile
    bad_rows: list[BadRow]
    share: float


class _UnfamiliarValue(Exception):
    """A later block has the first unfamiliar value of a table, whose header has no column for it."""


def score_file(
    bundle: Bundle,
    source: TableFile,
    target: TableFile,
    how: HowToScore = AS_USUAL,
    on_progress: Callable[[float, int], None] = lambda share, n_rows: None,
) -> ScoredFile:
    """Copy a table with ``is_inlier`` and ``anomaly_score`` as its last columns, and ``unfamiliar`` if a row has such.

    Parameters
    ----------
    bundle
        The model; its features are found in the file by name, other columns may hold anything.
    source
        The file to score.
    target
        Where to write; what is there is replaced in one step. Names that end with ``.parquet``, ``.feather`` or
        ``.arrow`` make files of typed columns, ``.gz`` and ``.zst`` compressed CSV, all others CSV. A large table that
        goes to a pipe always has the column ``unfamiliar``, because its header is written first.
    how
        What to add to each row.
    on_progress
        Called after each block with the share of the file that is done and the number of rows.

    Raises
    ------
    BadArgument
        If the name of the target ends like that of a format that is not written, if bad rows are to be skipped and
        the target is a pipe, which has no place for them, or if the model has no p-values and they are wanted.
    BadData
        If the file lacks a feature, holds a cell that cannot be scored, or has one of the new columns.
    CannotExplain
        If ``how`` wants explanations and the bundle is of format 1.
    ModelsNotWritable
        If the result cannot be stored; ``target`` then is as it was.
    """
    check_format(target)
    how.check(bundle)
    with refusing_output(target):
        is_pipe = isinstance(target, Path) and is_stream(target)
    if how.skips_bad_rows and is_pipe:
        raise BadArgument(f"--out {target}: bad rows are written beside the result, so --on-bad-row skip needs a file.")
    scoring = _Scoring(bundle, target, how, on_progress, is_pipe)
    try:
        return scoring.run(source, has_unfamiliar=how.adds_unfamiliar or None)
    except _UnfamiliarValue:
        # Rare: values are unfamiliar from the beginning, or never.
        return scoring.run(source, has_unfamiliar=True)


class _Scoring:
    """Scores the blocks of one table; arguments as of :func:`score_file`."""

    def __init__(
        self,
        bundle: Bundle,
        target: TableFile,
        how: HowToScore,
        on_progress: Callable[[float, int], None],
        is_pipe: bool,
    ) -> None:
        self._bundle, self._target, self._how, self._is_pipe = bundle, target, how, is_pipe
        self._on_progress = on_progress
        self._has_unfamiliar: bool | None = None
        self._dialect = how.dialect
        self._writer: CsvWriter | ColumnarWriter

    def run(self, source: TableFile, *, has_unfamiliar: bool | None) -> ScoredFile:
        """Score all blocks; whether there is a column for unfamiliar values is decided by the first, if it is None."""
        self._has_unfamiliar = has_unfamiliar
        features, how = self._bundle.features, self._how
        writes_text = not is_columnar(self._target) or bool(features.levels) or how.skips_bad_rows or how.explains
        blocks = read_blocks(source, self._dialect, writes_text=writes_text)
        found = ScoredFile()
        with ExitStack() as stack:
            stack.enter_context(closing(blocks))
            first = next(blocks)
            # So that a second run prints no guesses again.
            self._dialect = first.file.dialect
            check_has_features(first.file, features)
            # Before the result is opened, so that nothing is written for a table that cannot be scored.
            self._writer = _writer_of(self._target, self._bundle, how)
            begun = self._score(first)
            stack.enter_context(refusing_output(self._target))
            self._writer.begin(stack.enter_context(open_result(self._target)), begun.file, begun.added)
            rejects = stack.enter_context(Rejects(self._target))
            for block in itertools.chain([begun], stack.enter_context(Threads()).map(self._score, blocks)):
                self._writer.write(block.rendered)
                found.add(block.found)
                rejects.write(block.file, block.bad_rows)
                self._on_progress(block.share, found.n_rows)
            check_some_are_left(found.n_rows, found.n_bad, source)
            self._writer.close()
            if self._how.skips_bad_rows:
                rejects.remove_old()
        return found

    def _score(self, block: Block) -> _ScoredBlock:
        """Read, score and render a block; called in threads."""
        features, how, file = self._bundle.features, self._how, block.file
        bad_rows: list[BadRow] = []
        try:
            rows, are_plain = read_rows(file, features, as_written=how.explains)
        except BadData:
            if not how.skips_bad_rows or not (file.body or file.columns):
                raise
            file, bad_rows = separate_bad_rows(file, features)
            rows, are_plain = np.empty((0, len(features))), False
            if file.body:
                rows, are_plain = read_rows(file, features, as_written=how.explains)
        scores, labels = self._bundle.forest.score_and_label(rows)
        unfamiliar = self._bundle.known_values.find_rows(rows)
        if self._has_unfamiliar is None:
            self._has_unfamiliar = bool(unfamiliar) or (self._is_pipe and not block.is_only)
        elif unfamiliar and not self._has_unfamiliar:
            raise _UnfamiliarValue
        known = unfamiliar if self._has_unfamiliar else None
        added = add_columns(self._bundle, how, rows, scores, labels, known, self._writer.convert)
        for column in added:
            if column in file.header:
                raise BadData(f"{file.path} line 1: the column {column} exists already; rename or remove it.")
        found = ScoredFile(
            len(rows),
            int((labels == OUTLIER).sum()),
            len(unfamiliar),
            {name for values in unfamiliar.values() for name in values},
            len(bad_rows),
        )
        rendered = self._render(file, added, rows, are_plain=are_plain, is_only=block.is_only)
        return _ScoredBlock(file, tuple(added), rendered, found, bad_rows, block.share)

    def _render(self, file: CsvFile, added: Added, rows: NDArray[np.float64], *, are_plain: bool, is_only: bool) -> Any:
        """Return the rows of a block as they are written."""
        if isinstance(self._writer, ColumnarWriter):
            return self._writer.render(file, added, rows, is_only=is_only)
        are_numbers = None
        if are_plain:
            # With a decimal comma, a cell is no number to a spreadsheet of another country.
            is_point = file.dialect.decimal == "."
            are_numbers = np.array([is_point and name in self._bundle.features.names for name in file.header])
        return self._writer.render(file, added, are_numbers)


def _writer_of(target: TableFile, bundle: Bundle, how: HowToScore) -> CsvWriter | ColumnarWriter:
    """Return what writes a target, by its name."""
    return ColumnarWriter(target, bundle) if is_columnar(target) else CsvWriter(target, is_raw=how.is_raw)
