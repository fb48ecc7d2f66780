"""Parameters out of range are refused before anything is read or fitted."""

from __future__ import annotations

import pytest

from training.errors import BadArgument
from training.fitting.fit import ForestParameters


@pytest.mark.parametrize(
    ("parameter", "option"),
    [
        *(({"contamination": value}, "--contamination") for value in (0, -0.1, 0.51, float("nan"))),
        ({"n_estimators": 0}, "--estimators"),
        ({"max_samples": 0}, "--max-samples"),
        *(({"max_features": value}, "--max-features") for value in (0, 1.01, float("nan"))),
        *(({"random_state": value}, "--seed") for value in (-1, 2**32)),
    ],
)
def test_value_out_of_range_is_refused(parameter, option):
    """The message has the option as typed."""
    with pytest.raises(BadArgument, match=f"^{option} "):
        ForestParameters(**parameter)


def test_limits_of_a_range_are_accepted():
    """Both limits, if they belong to the range."""
    ForestParameters(contamination=0.5, n_estimators=1, max_samples=1, max_features=1, random_state=0)
    ForestParameters(contamination=1e-9, max_features=1e-9, random_state=2**32 - 1)


def test_sample_larger_than_the_data_is_refused():
    """scikit-learn would only warn and use fewer rows."""
    parameters = ForestParameters(max_samples=256)

    parameters.check_rows(256)
    with pytest.raises(BadArgument, match="--max-samples 256 is more than the 255 training rows"):
        parameters.check_rows(255)
