"""Scores Arrow record batches: what executors of Spark run, and what Dask, Ray and Polars may call."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from app import errors
from app.errors import InvalidBundle
from app.model.bundle import Bundle, read_bundle
from app.model.explained_rows import LABEL_COLUMN, SCORE_COLUMN, UNFAMILIAR_COLUMN, to_cell
from app.model.kernels import CompiledKernel, KernelNotBuilt
from spark.arrow_rows import ArrowRows
from spark.pack import BUNDLE_FOLDER, PACK_FILE, describe_machine, read_about


class Options(NamedTuple):
    """How rows are scored; :func:`spark.score` describes each.

    Parameters
    ----------
    unfamiliar
        Whether the column ``unfamiliar`` is added.
    skips_bad_rows
        Whether rows that cannot be scored get no label and no score, instead of ending the job.
    allow_numpy
        Whether the NumPy kernel may be used.
    """

    unfamiliar: bool = False
    skips_bad_rows: bool = False
    allow_numpy: bool = False


class BatchScorer:
    """Adds the answers of a model to record batches; several threads may use it, and other processes read the bundle.

    Parameters
    ----------
    bundle
        The folder of a bundle.
    options
        How rows are scored.

    Raises
    ------
    InvalidBundle
        If the bundle cannot be used, or there is no compiled kernel for this machine and NumPy is not allowed.
    """

    def __init__(self, bundle: Path | str, options: Options = Options()) -> None:  # noqa: B008 - it is immutable
        self._folder = str(bundle)
        self._bundle = read_bundle(Path(bundle))
        self._options = options
        self._rows = ArrowRows(self._bundle.features)
        if not options.allow_numpy:
            require_compiled_kernel(self._bundle)

    def __reduce__(self) -> tuple[type[BatchScorer], tuple[str, Options]]:
        """Make another process read the bundle itself: the kernel is memory of this one."""
        return BatchScorer, (self._folder, self._options)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with ``is_inlier``, ``anomaly_score`` and perhaps ``unfamiliar`` as its last columns.

        Raises
        ------
        ValueError
            If a row cannot be scored, unless such rows are skipped.
        """
        rows, bad = self._rows.read(batch)
        if bad.any():
            if not self._options.skips_bad_rows:
                raise ValueError(
                    f"{self._rows.explain(batch, rows)}; correct the rows, leave them out, or pass bad_rows='null' to "
                    "give them neither label nor score."
                )
            # Their answers are left out, whatever they are.
            rows[bad] = 0
        scores, labels = self._bundle.forest.score_and_label(rows)
        without = bad if bad.any() else None
        added = {LABEL_COLUMN: pa.array(labels, mask=without), SCORE_COLUMN: pa.array(scores, mask=without)}
        if self._options.unfamiliar:
            found = self._bundle.known_values.find_rows(rows)
            texts: list[str | None] = [None] * len(rows)
            for place, values in found.items():
                if not bad[place]:
                    texts[place] = to_cell(values)
            added[UNFAMILIAR_COLUMN] = pa.array(texts, pa.string())
        return pa.RecordBatch.from_arrays([*batch.columns, *added.values()], [*batch.schema.names, *added])


def score_batches(root: str, options: Options, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Score the batches of a task with the pack that is unpacked in ``root``.

    Raises
    ------
    InvalidBundle
        As of :class:`BatchScorer`, or if this process runs the code of another pack.
    """
    scorer = _scorer_of(root, Options(*options))
    for batch in batches:
        yield scorer(batch)


# A Python process of Spark runs many tasks: each model is read once.
@lru_cache(maxsize=8)
def _scorer_of(root: str, options: Options) -> BatchScorer:
    """Return the scorer of an unpacked pack."""
    about = read_about(Path(root))
    running = Path(errors.__file__).resolve().parents[1]
    if not (running / PACK_FILE).exists() or read_about(running)["code_sha256"] != about["code_sha256"]:
        raise InvalidBundle(
            f"{platform.node()} runs the code in {running}, not that of the pack in {root}: make all packs of one "
            "Spark application with the same release of Isowatch, and have no other package called app on PYTHONPATH."
        )
    try:
        return BatchScorer(Path(root, BUNDLE_FOLDER), options)
    except InvalidBundle as error:
        raise InvalidBundle(f"{platform.node()}: {error} The pack was made on {about['machine']}.") from error


def require_compiled_kernel(bundle: Bundle) -> None:
    """Refuse to score by NumPy, which takes ten times as long.

    Raises
    ------
    InvalidBundle
        If there is no compiled kernel for this machine.
    """
    try:
        CompiledKernel(bundle.forest.arrays)
    except KernelNotBuilt as reason:
        raise InvalidBundle(
            f"there is no compiled kernel for this machine, {describe_machine()} ({reason}); make the pack on a "
            "machine of that kind, or pass allow_numpy=True to score many times more slowly."
        ) from None


def names_of_answers(options: Options) -> tuple[str, ...]:
    """Return the columns that are added.

    Examples
    --------
    >>> names_of_answers(Options(unfamiliar=True))
    ('is_inlier', 'anomaly_score', 'unfamiliar')
    """
    return LABEL_COLUMN, SCORE_COLUMN, *((UNFAMILIAR_COLUMN,) if options.unfamiliar else ())
