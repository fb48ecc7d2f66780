"""The gamma distribution is that of SciPy, which the service has not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammainc, gammaincinv

from app.quality.intervals import gamma_cdf, gamma_quantile

SHAPES = st.one_of(st.floats(0.01, 50), st.integers(1, 50).map(float), st.floats(50, 100_000))


@given(shape=SHAPES, factor=st.floats(0, 10))
def test_share_is_that_of_scipy(shape, factor):
    """On both sides of the mean, where another formula takes over."""
    assert gamma_cdf(shape, factor * shape) == pytest.approx(gammainc(shape, factor * shape), abs=1e-10)


@given(shape=SHAPES, share=st.floats(1e-6, 1 - 1e-6))
def test_quantile_is_that_of_scipy(shape, share):
    """For every share that an interval could ask for."""
    assert gamma_quantile(shape, share) == pytest.approx(gammaincinv(shape, share), rel=1e-7, abs=1e-200)


def test_shape_zero_lies_at_zero():
    """Nothing was found, so there may be nothing."""
    assert gamma_quantile(0, 0.975) == 0
