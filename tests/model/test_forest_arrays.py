"""Invalid arrays are refused before they are used."""

from __future__ import annotations

import numpy as np
import pytest

from app.errors import InvalidBundle
from app.model.forest_arrays import ForestArrays

SOUND = ForestArrays(
    feature=np.array([0, 0, 0], np.int32),
    threshold=np.array([0.5, 0, 0]),
    children=np.array([[1, 2], [1, 1], [2, 2]], np.int32),
    path_length=np.array([0, 2.0, 1.0]),
    roots=np.array([0], np.int32),
    path_length_scale=np.array(2),
    offset=np.array(-0.6),
    n_features=np.array(1, np.int32),
)


def test_valid_arrays_pass():
    """The invalid ones below differ from these in one part."""
    SOUND.check()


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("roots", np.array([], np.int32), "no trees"),
        ("threshold", np.array([0.5]), "have different lengths"),
        ("children", np.array([1, 2, 2], np.int32), "have different lengths"),
        ("children", np.array([[1, 2], [0, 2], [2, 2]], np.int32), "does not end in leaves"),
        ("children", np.array([[1, 0], [1, 1], [2, 2]], np.int32), "does not end in leaves"),
        ("children", np.array([[1, 3], [1, 1], [2, 2]], np.int32), "does not end in leaves"),
        ("roots", np.array([3], np.int32), "starts outside"),
        ("roots", np.array([-1], np.int32), "starts outside"),
        ("feature", np.array([1, 0, 0], np.int32), "feature that rows do not have"),
        ("feature", np.array([-1, 0, 0], np.int32), "feature that rows do not have"),
        ("threshold", np.array([np.nan, 0, 0]), "not finite"),
        ("path_length", np.array([0, np.inf, 1]), "not finite"),
    ],
)
def test_invalid_arrays_are_refused(part: str, value: np.ndarray, message: str):
    """No circle, no node outside, no unknown feature, no number that is not finite."""
    with pytest.raises(InvalidBundle, match=message):
        ForestArrays(**SOUND.as_dict() | {part: value}).check()
