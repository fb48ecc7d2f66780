"""A bundle notes scikit-learn's own answers, and is not written if the compiled forest gives others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.errors import InvalidForest
from app.model.forest import Forest
from training.bundle.write import TrainedModel
from training.fitting import compile as module
from training.fitting.compile import check_agreement, choose_golden_rows, compile_forest
from training.fitting.evaluate import Evaluation, evaluate


@pytest.fixture
def compiled(small_model: TrainedModel) -> Evaluation:
    """What the compiled forest says of the training rows."""
    return evaluate(Forest(compile_forest(small_model.estimator)), small_model.training.rows)


def test_golden_answers_are_scikit_learns(small_model, compiled):
    """To 32 rows, each with a score of its own."""
    estimator = small_model.estimator

    golden = choose_golden_rows(estimator, small_model.training.rows, compiled, estimator.offset_)

    assert golden["anomaly_score"] == estimator.score_samples(np.array(golden["rows"])).tolist()
    assert golden["is_inlier"] == estimator.predict(np.array(golden["rows"])).tolist()
    assert len(set(golden["anomaly_score"])) == 32


def test_golden_rows_are_spread(small_model, compiled):
    """The ten most abnormal, the most normal, and the ten nearest to the threshold, on both its sides, are there."""
    offset = small_model.estimator.offset_
    scores = np.unique(compiled.scores)

    golden = choose_golden_rows(small_model.estimator, small_model.training.rows, compiled, offset)

    chosen = set(golden["anomaly_score"])
    assert chosen >= {*scores[:10], scores[-1], *scores[np.argsort(np.abs(scores - offset))[:10]]}
    assert set(golden["is_inlier"]) == {-1, 1}


def test_few_different_scores_give_few_golden_rows(small_model):
    """Rows that say the same are named once."""
    rows = np.array([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0]])
    compiled = evaluate(Forest(compile_forest(small_model.estimator)), rows)

    assert len(choose_golden_rows(small_model.estimator, rows, compiled, -0.5)["rows"]) == 2


@pytest.mark.parametrize("max_rows", [1_000_000, 100])
def test_a_forest_that_answers_otherwise_is_refused(small_model, compiled, monkeypatch, max_rows):
    """One label, or one score by more than rounding, is enough; of very many rows every so many are compared."""
    monkeypatch.setattr(module, "MAX_COMPARED_ROWS", max_rows)
    rows, first = small_model.training.rows, np.arange(len(compiled)) == 0

    check_agreement(small_model.estimator, rows, compiled)
    for wrong in (
        replace(compiled, labels=np.where(first, -compiled.labels, compiled.labels)),
        replace(compiled, scores=compiled.scores + 1e-9 * first),
    ):
        with pytest.raises(InvalidForest, match="differ on 1 of"):
            check_agreement(small_model.estimator, rows, wrong)
