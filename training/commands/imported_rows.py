"""Read the training rows of a forest or a pipeline that was fitted elsewhere: the columns that it saw."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline

from app.errors import count_of
from app.model.schema import BOOLEAN, CATEGORY, NUMBER, Features, Levels
from training.commands.options import read_dialect
from training.data.choices import Choices
from training.data.column_problems import choose_columns
from training.data.columns import infer_columns
from training.data.dataset import Dataset, read_features, read_training_data
from training.data.tables import CsvFile, open_csv_file, read_fast
from training.errors import BadArgument
from training.fitting.pipeline import TranslatedPipeline, count_inputs, input_names, translate_pipeline
from training.fitting.pipeline_columns import Source


def read_rows_of_pipeline(pipeline: Pipeline, options: argparse.Namespace) -> tuple[TranslatedPipeline, Dataset]:
    """Translate a pipeline, and read its training rows; parameters and errors as :func:`read_rows_of_forest`.

    Raises
    ------
    InvalidForest
        If a step cannot be translated.
    """
    file = open_csv_file(options.train, read_dialect(options))
    named = input_names(pipeline)
    if named is None:
        named = list(choose_columns(file, options.features, [*(options.drop or ()), *_label_in(file, options)]))
        if len(named) != count_inputs(pipeline):
            raise BadArgument(_wrong_number(options, count_inputs(pipeline), named))
        print(_assumed_order("pipeline", options, named), file=sys.stderr)
        translated = translate_pipeline(pipeline, named)
    else:
        translated = translate_pipeline(pipeline, named)
        _check_choice([source.name for source in translated.sources], file.header, options)
    data = _read_sources(file, translated.sources, options)
    used = Choices(allow_missing=frozenset(each.name for each in translated.sources if each.may_be_missing))
    return translated, replace(data, steps=translated.to_steps(), choices=used)


def _read_sources(file: CsvFile, sources: Sequence[Source], options: argparse.Namespace) -> Dataset:
    """Read the columns of a pipeline, and record in the sources what the rows show about them."""
    numbers = [source for source in sources if source.kind == NUMBER]
    if numbers and read_fast(file, names := [source.name for source in numbers if source.name in file.header]) is None:
        # Not all are plain numbers: true and false are numbers to a pipeline, too.
        read = infer_columns(file, names, Choices())
        for source in numbers:
            found = read.levels.get(source.name)
            if found == (False, True):
                source.kind, source.known = BOOLEAN, found
            elif found or source.name in read.left_out:
                raise BadArgument(
                    f"--model {options.model} takes {source.name} as a number, but {file.path} has texts in this "
                    "column: give the file that the pipeline was fitted on."
                )
    levels: dict[str, Levels] = {source.name: source.levels for source in sources if source.levels}
    names = [source.name for source in sources]
    features = replace(Features.of_names(tuple(names)), levels=tuple(levels.get(name) for name in names))
    data = read_features(file, features if levels else Features.of_names(tuple(names)), options.label)
    for place, source in enumerate(sources):
        values = data.rows[:, place]
        if source.kind != NUMBER and source.is_strict and (values < 0).any():
            line, cells = next(islice(file.records(), int((values < 0).argmax()), None))
            raise BadArgument(
                f"--model {options.model} was not fitted on {cells[file.header.index(source.name)]!r}, as in "
                f"{file.path} line {line}, column {source.name}: give the file that it was fitted on, or fit its "
                "encoder with handle_unknown."
            )
        _count(source, values)
    return replace(data, levels={source.name: source.levels for source in sources if source.levels})


def _count(source: Source, values: NDArray[np.float64]) -> None:
    """Count the rows of each level, and number the levels by frequency: codes change in place."""
    source.numbers = values if source.kind == NUMBER else source.numbers
    if source.kind == NUMBER:
        return
    known = values >= 0
    counts = np.bincount(values[known].astype(np.int64), minlength=len(source.known))
    source.counts = counts.tolist()
    if source.kind == CATEGORY:
        order = np.argsort(-counts, kind="stable")
        values[known] = np.argsort(order)[values[known].astype(np.int64)]
        source.known, source.counts = tuple(source.known[place] for place in order), counts[order].tolist()


def _label_in(file: CsvFile, options: argparse.Namespace) -> list[str]:
    """Return the label's column if the file has it."""
    return [name for name in file.header if name == options.label]


def _wrong_number(options: argparse.Namespace, n_wanted: int, names: Sequence[str]) -> str:
    """Return the message for a file with another number of columns than the model takes."""
    return (
        f"--model {options.model} takes {count_of(n_wanted, 'feature')}, {options.train} has {len(names)} "
        f"({', '.join(names)}); choose columns with --features or --drop."
    )


def _assumed_order(what: str, options: argparse.Namespace, names: Sequence[str]) -> str:
    """Return the message about a model without column names."""
    return (
        f"training: the {what} in {options.model} knows no column names; it is assumed that it was fitted on "
        f"{', '.join(names)}, in this order. If not, name its columns in order with --features."
    )


def read_rows_of_forest(estimator: IsolationForest, options: argparse.Namespace) -> Dataset:
    """Read the training rows of a forest as it saw them: by name if it has names, else by position.

    Parameters
    ----------
    estimator
        The fitted forest.
    options
        The options of the command.

    Raises
    ------
    BadArgument
        If the columns that it was fitted on are not chosen, or are not numbers.
    BadData
        If the file cannot be used.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        wanted = [str(name) for name in names]
        file = open_csv_file(options.train, read_dialect(options))
        _check_choice(wanted, file.header, options)
        return read_features(file, Features.of_names(tuple(wanted)), options.label)
    training = read_training_data(
        options.train, options.features, options.drop, options.label, dialect=read_dialect(options)
    )
    if training.levels:
        raise BadArgument(
            f"--model {options.model} takes numbers, and {options.train} has others in {', '.join(training.levels)}: "
            "leave them out with --drop."
        )
    if len(training.names) != estimator.n_features_in_:
        raise BadArgument(_wrong_number(options, estimator.n_features_in_, training.names))
    print(_assumed_order("forest", options, training.names), file=sys.stderr)
    return training


def _check_choice(wanted: Sequence[str], header: Sequence[str], options: argparse.Namespace) -> None:
    """Check that --features and --drop leave the columns that a forest was fitted on; their order does not matter.

    Parameters
    ----------
    wanted
        The columns that the forest was fitted on.
    header
        The columns of the file.
    options
        The options of the command.

    Raises
    ------
    BadArgument
        If they leave out one of these columns, or choose another one.
    """
    option, named = ("--features", options.features) if options.features else ("--drop", options.drop or ())
    if unknown := [name for name in named if name not in header]:
        raise BadArgument(f"{option}: {options.train} has no column {unknown[0]}; its columns are {', '.join(header)}.")
    kept = options.features or [name for name in wanted if name not in named]
    if set(kept) != set(wanted):
        raise BadArgument(
            f"--model {options.model} was fitted on {', '.join(wanted)}, but {option} leaves "
            f"{', '.join(kept) or 'none of them'}; without it, the columns are found by name."
        )
