"""The table of contaminations has the numbers that scikit-learn would flag."""

from __future__ import annotations

import numpy as np

from training.fitting.compile import compile_forest
from training.fitting.evaluate import CONTAMINATIONS, count_flagged
from training.fitting.fit import ForestParameters, fit


def test_counts_equal_forests_with_that_contamination():
    """Compared with a new fit for each, on training rows and on others."""
    generator = np.random.default_rng(1)
    training, others = generator.normal(size=(3000, 2)), generator.normal(size=(500, 2)) * 1.5
    forest = compile_forest(fit(training, ForestParameters(n_estimators=5)))
    on_training = forest.score(training)

    for rows, scores in ((training, on_training), (others, forest.score(others))):
        choices = count_flagged(on_training, scores)
        for choice in choices:
            again = fit(rows=training, parameters=ForestParameters(choice["contamination"], n_estimators=5))
            assert choice["flagged_rows"] == (again.predict(rows) == -1).sum()
            assert choice["threshold"] == again.offset_
        assert [choice["contamination"] for choice in choices] == [*CONTAMINATIONS, "auto"]


def test_choices_have_precision_and_recall_of_labelled_rows():
    """None where nothing is flagged, or no row is an outlier."""
    scores = np.repeat([-0.9, -0.8, -0.4], [1, 1, 98])
    is_outlier = np.arange(100) % 2 == 0

    choices = {choice["contamination"]: choice for choice in count_flagged(scores, scores, is_outlier)}

    assert (choices[0.001]["precision"], choices[0.001]["recall"]) == (1.0, 1 / 50)
    assert (choices["auto"]["precision"], choices["auto"]["recall"]) == (0.5, 1 / 50)
    unlabelled, [*_, normal] = (
        count_flagged(scores, scores)[0],
        count_flagged(scores, scores[2:], is_outlier[2:] & False),
    )
    assert "precision" not in unlabelled
    assert (normal["precision"], normal["recall"]) == (None, None)
