"""The calibration is read as it was written, or refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.drift.calibration import Calibration, ColumnBins
from app.errors import InvalidBundle


@pytest.fixture
def files(tmp_path, calibration):
    """Two files of a bundle that belong together."""
    file, reference_file = tmp_path / "drift.npz", tmp_path / "reference.npz"
    calibration.write(file)
    np.savez(reference_file, rows=calibration.reference_rows)
    return file, reference_file


def test_calibration_is_read_as_it_was_written(files, calibration):
    """Every array, and the same bytes each time."""
    read = Calibration.read(*files)

    for name in ("training_outlier_share", "bandwidth", "expected_run_time", "window"):
        assert getattr(read, name) == getattr(calibration, name)
    for name in ("reference_rows", "reference_scores", "distance_scales"):
        assert np.array_equal(getattr(read, name), getattr(calibration, name))
    for name, thresholds in calibration.thresholds.items():
        assert read.thresholds[name].by_row() == thresholds.by_row()
        assert np.array_equal(read.thresholds[name].confirming, thresholds.confirming)
        assert read.thresholds[name].run_time == thresholds.run_time
    assert len(read.bins) == len(calibration.bins) == 3
    for column, expected in zip(read.bins, calibration.bins, strict=True):
        assert np.array_equal(column.edges, expected.edges)
        assert np.array_equal(column.counts, expected.counts)
    before = files[0].read_bytes()
    calibration.write(files[0])
    assert files[0].read_bytes() == before


def test_error_without_calibration_says_that_drift_is_not_monitored(tmp_path):
    """The model was trained on few rows, or without detectors."""
    with pytest.raises(
        InvalidBundle, match=r"drift.npz does not exist, so drift is not monitored: to monitor it, train on 4,000"
    ):
        Calibration.read(tmp_path / "drift.npz", tmp_path / "reference.npz")


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_file_of_another_kind_is_refused(files, content):
    """Nothing is unpickled, and the message says what to do."""
    files[0].write_bytes(content)

    with pytest.raises(InvalidBundle, match=r"cannot be read .*: train again"):
        Calibration.read(*files)


@pytest.mark.parametrize(
    "change",
    [
        {"window": 1},
        {"window": 1001},
        {"distance_scales": np.ones(2)},
        {"reference_scores": np.zeros(3)},
        {"bandwidth": 0.0},
        {"distance_scales": np.zeros(3)},
        {"bins": (ColumnBins(np.zeros(0), np.array([5])),)},
        {"bins": (ColumnBins(np.array([1.0, 1.0]), np.array([5, 5, 5])),) * 3},
        {"bins": (ColumnBins(np.array([1.0]), np.array([5, 0])),) * 3},
        {"bins": tuple(ColumnBins(np.zeros(0), np.array([rows])) for rows in (5, 5, 6))},
    ],
)
def test_values_that_do_not_fit_together_are_refused(files, calibration, change):
    """The distances would be meaningless."""
    replace(calibration, **change).write(files[0])

    with pytest.raises(InvalidBundle, match="does not fit the reference rows beside it: train again"):
        Calibration.read(*files)
