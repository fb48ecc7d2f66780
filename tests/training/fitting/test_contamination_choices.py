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
