"""A bundle stores scikit-learn's answers as golden rows, and is refused if the compiled forest's differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.errors import InvalidForest
from training.bundle.write import TrainedModel
from training.fitting import compile as module
from training.fitting.compile import check_agreement, choose_golden_rows, compile_forest
from training.fitting.evaluate import Evaluation, evaluate


@pytest.fixture
def compiled(small_model: TrainedModel) -> Evaluation:
    """Return the compiled forest's answers for the training rows."""
    return evaluate(compile_forest(small_model.estimator), small_model.training.rows)


def test_golden_answers_are_scikit_learns(small_model, compiled):
    """For 32 rows with different scores."""
    estimator = small_model.estimator

    golden = choose_golden_rows(estimator, small_model.training.rows, compiled, estimator.offset_)

    assert golden["anomaly_score"] == estimator.score_samples(np.array(golden["rows"])).tolist()
    assert golden["is_inlier"] == estimator.predict(np.array(golden["rows"])).tolist()
    assert len(set(golden["anomaly_score"])) == 32


def test_golden_rows_cover_the_range_of_scores(small_model, compiled):
    """They include the ten most abnormal rows, the most normal one, and the ten nearest to the threshold."""
    offset = small_model.estimator.offset_
    scores = np.unique(compiled.scores)

    golden = choose_golden_rows(small_model.estimator, small_model.training.rows, compiled, offset)

    chosen = set(golden["anomaly_score"])
    assert chosen >= {*scores[:10], scores[-1], *scores[np.argsort(np.abs(scores - offset))[:10]]}
    assert set(golden["is_inlier"]) == {-1, 1}


def test_few_different_scores_give_few_golden_rows(small_model):
    """Only one of the rows with equal scores is stored."""
    rows = np.array([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0]])
    compiled = evaluate(compile_forest(small_model.estimator), rows)

    assert len(choose_golden_rows(small_model.estimator, rows, compiled, -0.5)["rows"]) == 2


@pytest.mark.parametrize("max_rows", [1_000_000, 100])
def test_forest_with_different_answers_is_refused(small_model, compiled, monkeypatch, max_rows):
    """One different label or score is enough; very large data are sampled at regular steps."""
    monkeypatch.setattr(module, "MAX_COMPARED_ROWS", max_rows)
    rows, first = small_model.training.rows, np.arange(len(compiled)) == 0

    check_agreement(small_model.estimator, rows, compiled)
    for wrong in (
        replace(compiled, labels=np.where(first, -compiled.labels, compiled.labels)),
        replace(compiled, scores=compiled.scores + 1e-9 * first),
    ):
        with pytest.raises(InvalidForest, match="differ on 1 of"):
            check_agreement(small_model.estimator, rows, wrong)
