"""The pictures in a bundle: where the boundary runs, and how the scores lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.model.forest import Forest
from training.boundary_plane import BoundaryPlane
from training.contamination_choices import AUTO_THRESHOLD
from training.dataset import Dataset
from training.evaluate import Evaluation
from training.plots import draw_labelled_rows, draw_training_rows, score_histogram, to_png


def draw_pictures(
    forest: Forest, contamination: object, sets: dict[str, tuple[Dataset, Evaluation]]
) -> dict[str, bytes]:
    """Draw what a forest learnt.

    Parameters
    ----------
    forest
        The compiled forest.
    contamination
        What it was trained with: a share, or "auto".
    sets
        Rows, and what the forest says of them: ``train`` and perhaps ``test``.

    Returns
    -------
    PNG files by their names. A forest of one feature has no boundary to draw, only scores.
    """
    pictures = {}
    data, on_training = sets["train"]
    chosen = f"contamination {contamination}"
    if len(data.names) > 1:
        plane = BoundaryPlane.of(forest, data.rows, data.names)
        base = _say_flagged(on_training.scores, AUTO_THRESHOLD, "training")
        pictures["boundary_base.png"] = draw_training_rows(
            plane, AUTO_THRESHOLD, data.rows, f"Base model, contamination auto: {base}"
        )
        own = _say_flagged(on_training.scores, forest.offset, "training")
        pictures["boundary.png"] = draw_training_rows(plane, forest.offset, data.rows, f"This model, {chosen}: {own}")
        if "test" in sets:
            test, on_test = sets["test"]
            own = _say_flagged(on_test.scores, forest.offset, "test")
            pictures["boundary_test.png"] = draw_labelled_rows(
                plane, forest.offset, test.rows, on_test.labels, f"Test rows, {chosen}: {own}"
            )
    for name, called, file in (("train", "training", "scores.png"), ("test", "test", "scores_test.png")):
        if name in sets:
            scores = sets[name][1].scores
            title = f"Scores of the {called} rows, {chosen}"
            pictures[file] = score_histogram(scores, forest.offset, title)
    return {file: to_png(figure) for file, figure in pictures.items()}


def _say_flagged(scores: NDArray[np.float64], threshold: float, called: str) -> str:
    """Say which share of the rows is flagged."""
    return f"{np.mean(scores - threshold < 0):.3%} of the {called} rows are outliers"
