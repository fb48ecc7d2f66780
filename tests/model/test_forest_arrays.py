"""Invalid arrays are refused before they are used."""

from __future__ import annotations

from typing import Any

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
    path_length_scale=np.array(2.0),
    n_features=np.array(1, np.int32),
    missing_go_to_left=np.array([False, True, True]),
    n_node_samples=np.array([3, 2, 1]),
    weighted_n_node_samples=np.array([3.5, 2.5, 1.0]),
)


def test_valid_arrays_pass():
    """The invalid ones below differ from these in one part."""
    SOUND.check()


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("roots", np.array([], np.int32), "no trees"),
        ("threshold", np.array([0.5]), "have different lengths"),
        ("children", np.array([1, 2, 2], np.int32), "children is not int32 with 2 axes"),
        ("children", np.array([[1], [1], [2]], np.int32), "have different lengths"),
        ("children", np.array([[1, 1], [1, 1], [2, 2]], np.int32), "2 nodes .* exactly one place"),
        ("roots", np.array([0, 0], np.int32), "1 nodes .* exactly one place"),
        ("roots", np.array([0, 1], np.int32), "1 nodes .* exactly one place"),
        ("roots", np.zeros(100_001, np.int32), "100,001 trees, more than 100,000"),
        ("feature", np.array([np.nan, 0, 0]), "feature is not int32 with 1 axes"),
        ("feature", np.array([0, 0, 0], np.int64), "feature is not int32 with 1 axes"),
        ("path_length_scale", np.array([2.0]), "path_length_scale is not float64 with 0 axes"),
        ("n_features", np.array(0, np.int32), "takes 0 features"),
        ("n_features", np.array(2**31 - 1, np.int32), "possible are 1 to 256"),
        ("path_length", np.array([0, -1.0, 1]), "outside of 0 to 1000"),
        ("path_length", np.array([0, 1e300, 1]), "outside of 0 to 1000"),
        ("path_length_scale", np.array(np.nan), "no number of rows gives"),
        ("path_length_scale", np.array(1e-300), "no number of rows gives"),
        ("children", np.array([[1, 2], [0, 2], [2, 2]], np.int32), "does not end in leaves"),
        ("children", np.array([[1, 0], [1, 1], [2, 2]], np.int32), "does not end in leaves"),
        ("children", np.array([[1, 3], [1, 1], [2, 2]], np.int32), "does not end in leaves"),
        ("roots", np.array([3], np.int32), "starts outside"),
        ("roots", np.array([-1], np.int32), "starts outside"),
        ("feature", np.array([1, 0, 0], np.int32), "feature that rows do not have"),
        ("feature", np.array([-1, 0, 0], np.int32), "feature that rows do not have"),
        ("threshold", np.array([np.nan, 0, 0]), "not finite"),
        ("path_length", np.array([0, np.inf, 1]), "not finite"),
        ("missing_go_to_left", np.array([1, 1, 1]), "missing_go_to_left is not bool with 1 axes"),
        ("missing_go_to_left", np.array([True]), "have different lengths"),
        ("n_node_samples", np.array([3, 2]), "have different lengths"),
        ("n_node_samples", np.array([3, 3, 0]), "has no rows"),
        ("n_node_samples", np.array([4, 2, 1]), "other rows than its children"),
        ("n_node_samples", np.array([2**62 * 2 - 2, 2**62, 2**62 - 2]), "or more than 10,000,000,000"),
        ("weighted_n_node_samples", np.array([3.5, 2.5, np.nan]), "has no weights of rows"),
        ("weighted_n_node_samples", np.array([3.5, 2.5, 1.1]), "other weights of rows than its children"),
    ],
)
def test_invalid_arrays_are_refused(part: str, value: np.ndarray, message: str):
    """No circle, no node outside, no unknown feature, no number that is not finite."""
    with pytest.raises(InvalidBundle, match=message):
        ForestArrays(**SOUND.as_dict() | {part: value}).check()


def chain(n_levels: int) -> ForestArrays:
    """Make a tree in which every left child is a leaf, and every right child is split again."""
    n_nodes = 2 * n_levels + 1
    children = np.repeat(np.arange(n_nodes, dtype=np.int32)[:, None], 2, axis=1)
    children[:-1:2] += [[1, 2]]
    parts: dict[str, Any] = {
        "feature": np.zeros(n_nodes, np.int32),
        "threshold": np.zeros(n_nodes),
        "path_length": np.ones(n_nodes),
    } | dict.fromkeys(("missing_go_to_left", "n_node_samples", "weighted_n_node_samples"))
    return ForestArrays(**SOUND.as_dict() | parts | {"children": children})


def test_deep_trees_are_refused():
    """A row takes a step for each level; scikit-learn grows at most log2 of the rows."""
    chain(64).check()
    with pytest.raises(InvalidBundle, match="more than 64 levels"):
        chain(65).check()


def test_children_that_double_with_every_level_are_refused():
    """Both children of a node are the next node: without the check, level 60 has 2 ** 60 nodes."""
    n_nodes = 60
    after = np.minimum(np.arange(1, n_nodes + 1, dtype=np.int32), n_nodes - 1)
    parts: dict[str, Any] = {
        "feature": np.zeros(n_nodes, np.int32),
        "threshold": np.zeros(n_nodes),
        "path_length": np.ones(n_nodes),
    }
    with pytest.raises(InvalidBundle, match="exactly one place"):
        ForestArrays(**SOUND.as_dict() | parts | {"children": np.column_stack([after, after])}).check()
