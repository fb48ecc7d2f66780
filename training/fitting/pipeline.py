"""Translate a fitted scikit-learn pipeline that ends in an Isolation Forest into an encoding and the forest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline

from app.errors import InvalidForest, count_of
from app.model.schema import BOOLEAN, NUMBER
from training.fitting.pipeline_columns import MadeColumn, Source, to_steps
from training.fitting.pipeline_steps import TRANSLATORS, UNKNOWN_LEVEL, CannotTranslate, Columns

# What "passthrough" and "drop" are called in scikit-learn; older releases wrote None for the former.
_PASSTHROUGH, _DROP = "passthrough", "drop"


@dataclass(frozen=True)
class TranslatedPipeline:
    """A pipeline that a bundle can hold.

    Parameters
    ----------
    pipeline
        The fitted pipeline.
    forest
        Its last step.
    inputs
        What its first step takes, in order.
    sources
        Those inputs that become features, in order.
    unused
        Of the other inputs that an encoder takes and drops, such as a category of one level: a level that it knows.
    """

    pipeline: Pipeline
    forest: IsolationForest
    inputs: tuple[str, ...]
    sources: tuple[Source, ...]
    unused: Mapping[str, Any] = field(default_factory=dict)

    def to_steps(self) -> list[dict[str, Any]]:
        """Return the encoding; the sources must have their kinds and counts.

        Raises
        ------
        InvalidForest
            If a step cannot be translated, or the forest takes another number of features.
        """
        by_name = {source.name: source for source in self.sources}
        columns = _translate(self.pipeline, [by_name.get(name, Source(name)) for name in self.inputs])
        return to_steps(columns)

    def to_input(self, rows: NDArray[np.float64]) -> Any:
        """Return rows as the pipeline takes them.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_sources)``: numbers of levels, NaN for missing values.

        Returns
        -------
        A table with the pipeline's column names, if it has any, else an array. Inputs that it drops are 0, or a known
        level.
        """
        made: dict[str, Any] = {name: [self.unused.get(name, 0.0)] * len(rows) for name in self.inputs}
        for source, values in zip(self.sources, rows.T, strict=True):
            made[source.name] = values if source.kind == NUMBER else _decode(source, values)
        table = pd.DataFrame(made, columns=list(self.inputs))
        return table if _find(self.pipeline, "feature_names_in_") is not None else table.to_numpy()


def flatten(estimator: Any) -> Any:
    """Return a pipeline whose last step is no pipeline: its steps are those of the outer one.

    Examples
    --------
    >>> inner = Pipeline([("scale", "passthrough"), ("forest", IsolationForest())])
    >>> [name for name, _ in flatten(Pipeline([("fill", "passthrough"), ("model", inner)])).steps]
    ['fill', 'model.scale', 'model.forest']
    """
    while isinstance(estimator, Pipeline) and estimator.steps and isinstance(estimator.steps[-1][1], Pipeline):
        name, inner = estimator.steps[-1]
        estimator = Pipeline([*estimator.steps[:-1], *((f"{name}.{part}", step) for part, step in inner.steps)])
    return estimator


def find_forest(estimator: object) -> IsolationForest | None:
    """Return the forest at the end of a pipeline; None if there is none."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) and estimator.steps else estimator
    return last if isinstance(last, IsolationForest) else None


def input_names(pipeline: Pipeline) -> list[str] | None:
    """Return the names of the columns that a pipeline was fitted on; None if it knows none."""
    names = _find(pipeline, "feature_names_in_")
    return None if names is None else [str(name) for name in names]


def count_inputs(pipeline: Pipeline) -> int:
    """Return how many columns a pipeline was fitted on."""
    return int(_find(pipeline, "n_features_in_"))


def translate_pipeline(pipeline: Pipeline, inputs: Sequence[str]) -> TranslatedPipeline:
    """Find out which inputs a pipeline uses, and what kind each is.

    Parameters
    ----------
    pipeline
        A fitted pipeline whose last step is an Isolation Forest.
    inputs
        Names of what its first step takes, in order.

    Raises
    ------
    InvalidForest
        If a step cannot be translated; the message names it.
    """
    forest = find_forest(pipeline)
    assert forest is not None, "checked"
    sources = [Source(name) for name in inputs]
    used = {id(column.source) for column in _translate(pipeline, sources)}
    kept = tuple(source for source in sources if id(source) in used)
    for source in kept:
        source.settle()
    unused = {source.name: source.known[0] for source in sources if id(source) not in used and len(source.known)}
    return TranslatedPipeline(pipeline, forest, tuple(inputs), kept, unused)


def _translate(pipeline: Pipeline, sources: Sequence[Source]) -> Columns:
    """Follow the columns through all steps but the last."""
    columns: Columns = [MadeColumn.of(source) for source in sources]
    is_sparse = False
    for name, step in pipeline.steps[:-1]:
        columns, is_sparse = _follow(name, step, columns, is_sparse)
    for column in columns:
        column.use_as_number()
    forest = pipeline.steps[-1][1]
    if len(columns) != forest.n_features_in_:
        raise InvalidForest(
            f"The steps make {count_of(len(columns), 'feature')}, but the forest takes {forest.n_features_in_}: fit "
            "the pipeline again with the scikit-learn release installed here."
        )
    return columns


def _follow(name: str, step: Any, columns: Columns, is_sparse: bool) -> tuple[Columns, bool]:
    """Return the columns after a step, and whether scikit-learn has them in a sparse matrix."""
    if step is None or step == _PASSTHROUGH:
        return columns, is_sparse
    if isinstance(step, Pipeline):
        for inner, each in step.steps:
            columns, is_sparse = _follow(f"{name}.{inner}", each, columns, is_sparse)
        return columns, is_sparse
    if isinstance(step, ColumnTransformer):
        return _follow_parts(name, step, columns)
    # A subclass may do something else.
    translator = TRANSLATORS.get(type(step))
    if translator is None:
        served = ", ".join(each.__name__ for each in TRANSLATORS)
        raise InvalidForest(
            f"The step {name} is a {type(step).__name__}, which cannot be served: do this in the table before, or use "
            f"a step of {served}, ColumnTransformer, Pipeline, passthrough."
        )
    try:
        return translator(step, columns, is_sparse)
    except CannotTranslate as reason:
        raise InvalidForest(f"The step {name} is a {type(step).__name__} that cannot be served: {reason}.") from None
    except AttributeError as error:
        raise InvalidForest(
            f"The step {name} ({type(step).__name__}) is not fitted, or by another scikit-learn release ({error}); fit "
            "the pipeline here and store it again."
        ) from None


def _follow_parts(name: str, step: ColumnTransformer, columns: Columns) -> tuple[Columns, bool]:
    """Return the columns after a ColumnTransformer: what each part makes, one after the other."""
    if not hasattr(step, "transformers_"):
        raise InvalidForest(f"The step {name} is not fitted; call the pipeline's fit() before it is stored.")
    names = [str(each) for each in getattr(step, "feature_names_in_", ())]
    made: Columns = []
    for part, transformer, chosen in step.transformers_:
        if isinstance(transformer, str) and transformer == _DROP:
            continue
        places = _find_places(chosen, names, len(columns))
        if not places:
            continue
        own, _ = _follow(f"{name}.{part}", transformer, [columns[place] for place in places], False)
        weight = (step.transformer_weights or {}).get(part)
        made += own if weight is None else [column.apply("multiply", value=weight) for column in own]
    return made, bool(step.sparse_output_)


def _find_places(chosen: Any, names: Sequence[str], n_columns: int) -> list[int]:
    """Return the numbers of the columns that a part of a ColumnTransformer takes."""
    if isinstance(chosen, slice):
        start, stop = chosen.start, chosen.stop
        start = names.index(start) if isinstance(start, str) else start
        stop = names.index(stop) + 1 if isinstance(stop, str) else stop  # the last name belongs to it
        return list(range(n_columns)[start : stop : chosen.step])
    listed: list[Any] = [chosen] if isinstance(chosen, str | int | np.integer) else list(chosen)
    if listed and all(isinstance(each, bool | np.bool_) for each in listed):
        return [place for place, is_chosen in enumerate(listed) if is_chosen]
    return [names.index(each) if isinstance(each, str) else int(each) % n_columns for each in listed]


def _decode(source: Source, values: NDArray[np.float64]) -> Any:
    """Return the levels of codes as they were when the pipeline was fitted."""
    levels = [*source.known, UNKNOWN_LEVEL, source.missing]
    codes = np.where(np.isnan(values), len(levels) - 1, np.where(values < 0, len(levels) - 2, values)).astype(np.int64)
    if source.kind == BOOLEAN and not np.isnan(values).any():
        return values == 1
    texts = np.empty(len(levels), object)
    texts[:] = levels
    return pd.Series(texts[codes]).infer_objects()


def _find(pipeline: Pipeline, attribute: str) -> Any:
    """Return an attribute of the first step that is not passed through; None if it has none."""
    first = next((step for _, step in pipeline.steps if step is not None and not isinstance(step, str)), None)
    if isinstance(first, Pipeline):
        return _find(first, attribute)
    return getattr(first, attribute, None)
