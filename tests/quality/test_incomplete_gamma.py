"""The gamma distribution equals that of SciPy, which the service does not install."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammainc, gammaincinv

from app.quality.intervals import gamma_cdf, gamma_quantile

SHAPES = st.one_of(st.floats(0.01, 50), st.integers(1, 50).map(float), st.floats(50, 100_000))


@given(shape=SHAPES, factor=st.floats(0, 10))
def test_cdf_equals_scipy(shape, factor):
    """On both sides of the mean, where different formulas are used."""
    assert gamma_cdf(shape, factor * shape) == pytest.approx(gammainc(shape, factor * shape), abs=1e-10)


@given(shape=SHAPES, share=st.floats(1e-6, 1 - 1e-6))
def test_quantile_equals_scipy(shape, share):
    """For every share that an interval may need."""
    assert gamma_quantile(shape, share) == pytest.approx(gammaincinv(shape, share), rel=1e-7, abs=1e-200)


def test_shape_zero_is_at_zero():
    """No case was found, so there may be none."""
    assert gamma_quantile(0, 0.975) == 0
