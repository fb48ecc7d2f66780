"""Calibration simulates what runs: its statistics equal those that the detectors compute row by row."""

from __future__ import annotations

import numpy as np
import pytest

from app.drift.cvm import RankReference, RankWindow
from app.drift.mmd import KernelReference, KernelWindow
from app.drift.windows import OutlierWindow, slide_outlier_shares
from training.drift import simulate
from training.drift.simulate import RankSums, make_jitter, simulate_kernel_distances

N_STREAMS, N_ROWS = 3, 60


@pytest.fixture
def rows():
    """Return a reference and three streams with repeated values."""
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(200 + N_STREAMS * N_ROWS, 2)).round(1)
    return rows[:200], rows[200:]


@pytest.fixture(params=["compiled", "numpy"])
def kernel(request, monkeypatch):
    """Compute with the compiled sums, and without a compiler."""
    if request.param == "numpy":
        monkeypatch.setattr(simulate, "_load_kernel", lambda name: None)
    elif simulate._load_kernel("compute_rank_distances") is None:
        pytest.skip("the kernel is not compiled: make kernel")


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("size", [2, 11, 60])
def test_kernel_distances_equal_the_windows(rows, size):
    """Up to rounding, because the order of additions differs."""
    reference = KernelReference(rows[0], bandwidth=1.1)
    points = reference.place(rows[1])
    shape = (N_STREAMS, N_ROWS)

    simulated = simulate_kernel_distances(
        reference, points.reshape(*shape, 2), reference.mean_similarity(points).reshape(shape), size
    )

    for stream, placed in zip(simulated, points.reshape(*shape, 2), strict=True):
        window = KernelWindow(reference, size)
        assert np.allclose(stream, [window.push(point) for point in placed][size - 1 :], rtol=0, atol=1e-13)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("size", [2, 11, 60])
@pytest.mark.parametrize("n_reference", [200, 9000])
def test_rank_distances_equal_the_windows(rows, size, n_reference):
    """To the last bit, also for a reference that is too large for the smallest integer type."""
    reference = RankReference(np.resize(rows[0], (n_reference, 2)))
    places, sums = reference.place(rows[1]).reshape(N_STREAMS, N_ROWS, 2), RankSums(reference, size)

    for column in (0, 1):
        simulated = sums.compute_distances(np.ascontiguousarray(places[:, :, column], np.int32), column)
        for stream, placed in zip(simulated, places, strict=True):
            window = RankWindow(reference, size)
            assert stream.tolist() == [window.push(place)[column] for place in placed][size - 1 :]


@pytest.mark.usefixtures("kernel")
def test_similarities_of_far_rows_are_zero():
    """The compiled exponential function has no value for what NumPy's rounds to 0."""
    points = np.array([[[0.0], [1e-9], [0.5], [5.0], [26.0], [1e6]]])

    sums = simulate._sum_similarities(points, 2)

    steps = np.diff(points[0, :, 0])
    assert sums[0] == pytest.approx(np.exp(-(steps**2)), rel=0, abs=1e-15)


def test_outlier_shares_equal_the_windows():
    """To the last bit."""
    are_outliers = np.random.default_rng(1).random((N_STREAMS, N_ROWS)) < 0.2

    simulated = slide_outlier_shares(are_outliers, training_share=0.17, size=10)

    for stream, labels in zip(simulated, are_outliers.tolist(), strict=True):
        window = OutlierWindow(training_share=0.17, size=10)
        assert stream.tolist() == [window.push(label) for label in labels][9:]


def test_jitter_is_uniform_and_equal_to_the_services():
    """From any row on, the jitter of consecutive rows differs as in the service."""
    jitter = make_jitter(np.random.default_rng(1), 50, 200) / 1e-9

    assert np.histogram(jitter, bins=10, range=(0, 1))[0] == pytest.approx(np.full(10, 1000), abs=60)
    steps = np.diff(jitter, axis=1) % 1
    assert np.allclose(steps, (5**0.5 - 1) / 2, atol=1e-9)
