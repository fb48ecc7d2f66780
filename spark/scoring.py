"""Adds labels and scores to a DataFrame of Spark, batch or streaming."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.model.schema import Features
from app.model.times import MILLISECONDS, SECONDS
from spark.pack import Pack, read_pack

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from spark.batches import Options

_NUMBERS = ("byte", "short", "integer", "long", "float", "double", "decimal")

# Which of Spark's types a column of the model may have.
_LEVELS = ("string", "boolean", "byte", "short", "integer", "long", "float", "double")


def score(
    df: DataFrame,
    bundle: str | Path,
    *,
    unfamiliar: bool = False,
    bad_rows: Literal["fail", "null"] = "fail",
    allow_numpy: bool = False,
) -> DataFrame:
    """Add ``is_inlier`` (1 or -1) and ``anomaly_score`` (in [-1, 0], lower is more abnormal) as the last columns.

    Parameters
    ----------
    df
        A DataFrame, batch or streaming, with the model's columns by name; other columns are kept as they are.
    bundle
        The pack that ``python -m training pack`` wrote. It is sent to the executors.
    unfamiliar
        Add the column ``unfamiliar``: which values training did not see, as JSON; null if there is none.
    bad_rows
        What happens to rows that cannot be scored, because a value is infinite, unreadable, or missing although
        training had none missing: ``fail`` ends the job with the reason, ``null`` leaves label and score of these
        rows empty.
    allow_numpy
        Score by NumPy, ten times more slowly, where the pack's kernel does not run. By default it refuses.

    Raises
    ------
    InvalidBundle
        If ``bundle`` is no pack.
    ValueError
        If a column is missing, has a type that the model cannot use, or has the name of one that is added.
    """
    if bad_rows not in ("fail", "null"):
        raise ValueError(f"bad_rows is {bad_rows!r}; use 'fail' or 'null'.")
    from pyspark.sql.types import DoubleType, LongType, StringType, StructType

    from app.model.explained_rows import LABEL_COLUMN, SCORE_COLUMN
    from spark.batches import Options, names_of_answers

    pack = read_pack(Path(bundle))
    options = Options(unfamiliar, bad_rows == "null", allow_numpy)
    check_columns(df, Features.of_manifest(pack.manifest), names_of_answers(options))
    _send(df, pack)
    types = {LABEL_COLUMN: LongType(), SCORE_COLUMN: DoubleType()}
    schema = StructType(list(df.schema.fields))
    for name in names_of_answers(options):
        schema = schema.add(name, types.get(name, StringType()))
    return df.mapInArrow(_make_task(pack.name, options), schema)


def check_columns(df: DataFrame, features: Features, added: Iterable[str]) -> None:
    """Check names and types of columns before a job starts.

    Raises
    ------
    ValueError
        If a column is missing, twice there, of a type that the model cannot use, or has the name of one that is added.
    """
    for name in added:
        if name.lower() in (column.lower() for column in df.columns):
            raise ValueError(f"The DataFrame has a column {name} already: drop or rename it.")
    for place, name in enumerate(features.names):
        if df.columns.count(name) != 1:
            count = "two columns" if name in df.columns else "no column"
            raise ValueError(f"The DataFrame has {count} {name}; its columns are {', '.join(df.columns)}.")
        found = df.schema.fields[df.columns.index(name)].dataType.typeName().partition("(")[0]
        has_levels = bool(features.levels and features.levels[place])
        form = features.times[place] if features.times else None
        allowed: tuple[str, ...]
        if form in (SECONDS, MILLISECONDS):
            allowed, advice = (*_NUMBERS[:-1], "string"), f"a number of {form}"
        elif form:
            allowed, advice = (
                ("string",),
                f"a text: date_format({name!r}, \"yyyy-MM-dd'T'HH:mm:ss\") makes one of a time",
            )
        elif has_levels:
            allowed, advice = _LEVELS, f"a text: col({name!r}).cast('string') makes one"
        else:
            allowed, advice = _NUMBERS, f"a number: col({name!r}).cast('double') makes one"
        if found not in allowed:
            raise ValueError(f"Column {name} is of type {found}; the model needs {advice}.")


def _send(df: DataFrame, pack: Pack) -> None:
    """Send the pack to the executors, now and to those that start later."""
    from pyspark.sql.utils import is_remote

    session: Any = df.sparkSession
    archive = f"{pack.file.resolve()}#{pack.name}"
    if is_remote():
        session.addArtifacts(archive, archive=True)
    # Spark warns when something is sent again; the name is that of the content.
    elif not any(sent.endswith(f"#{pack.name}") for sent in session.sparkContext.listArchives):
        session.sparkContext.addArchive(archive)


def _make_task(name: str, options: Options) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that executors run.

    Spark sends a function inside another by its code, so it needs nothing of ours to be read, and imports it from the
    unpacked pack.
    """
    plain = tuple(options)

    def score_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import os
        import sys

        from pyspark import SparkFiles

        places = [os.path.join(place, name) for place in (os.getcwd(), SparkFiles.getRootDirectory())]  # noqa: PTH109, PTH118
        root = next((place for place in places if os.path.isdir(place)), None)  # noqa: PTH112
        if root is None:
            raise FileNotFoundError(f"The pack is not on this executor: neither {' nor '.join(places)} exists.")
        if root not in sys.path:
            sys.path.insert(0, root)
        from spark.batches import Options, score_batches

        yield from score_batches(root, Options(*plain), batches)

    return score_partition
