"""The compiled kernel computes the same sums as NumPy, and an outdated library is not used."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import build_kernel, forest, kernels, ranked_trees
from app.model.build_kernel import build, find_compiler
from app.model.forest import Forest, Threshold
from app.model.forest_arrays import ForestArrays
from app.model.kernels import CompiledKernel, KernelNotBuilt, NumpyKernel, to_nodes
from app.model.ranked_trees import rank_trees


def grow_forest(seed: int, n_trees: int, n_features: int, n_splits: int, n_thresholds: int = 7) -> ForestArrays:
    """Grow trees by random splits of random leaves at multiples of a half around 0; some trees stay a single leaf."""
    random = np.random.default_rng(seed)
    feature: list[int] = []
    threshold: list[float] = []
    children: list[list[int]] = []
    path_length: list[float] = []
    roots: list[int] = []

    def add_leaf(leaf_path_length: float) -> int:
        node = len(feature)
        feature.append(0)
        threshold.append(0.0)
        children.append([node, node])
        path_length.append(leaf_path_length)
        return node

    for _ in range(n_trees):
        roots.append(add_leaf(1.0))
        leaves = [(roots[-1], 1.0)]
        for _ in range(random.integers(n_splits + 1)):
            node, depth = leaves.pop(random.integers(len(leaves)))
            feature[node], threshold[node] = (
                int(random.integers(n_features)),
                float(random.integers(n_thresholds) - n_thresholds // 2) / 2,
            )
            path_length[node] = 0.0
            pair = [add_leaf(depth + random.random()) for _ in range(2)]
            leaves += [(child, depth + 1) for child in pair]
            # The right child first, half of the time: an order of its own is the layout's business.
            children[node] = pair if random.random() < 0.5 else pair[::-1]
    return ForestArrays(
        feature=np.array(feature, np.int32),
        threshold=np.array(threshold),
        children=np.array(children, np.int32),
        path_length=np.array(path_length),
        roots=np.array(roots, np.int32),
        path_length_scale=np.array(5.0 * n_trees),
        n_features=np.array(n_features, np.int32),
        missing_go_to_left=random.random(len(feature)) < 0.5,
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    n_trees=st.integers(1, 40),
    n_features=st.integers(1, 5),
    n_splits=st.one_of(st.integers(0, 30), st.integers(200, 300)),
    n_thresholds=st.sampled_from([1, 7, 254, 256, 2000]),
    n_rows=st.one_of(st.integers(0, 600), st.integers(1000, 1100)),
    share_missing=st.sampled_from([0, 0.001, 0.5, 1]),
    table_bytes=st.sampled_from([1, 2000, 100_000]),
)
def test_kernels_agree_to_the_last_bit(
    library, narrow_library, seed, n_trees, n_features, n_splits, n_thresholds, n_rows, share_missing, table_bytes
):
    """For any number of rows, trees, levels, thresholds and missing values, in full and in unfilled lanes."""
    arrays = grow_forest(seed, n_trees, n_features, n_splits, n_thresholds)
    # Thresholds are multiples of a half, so many of these values lie exactly on one, or one float32 beside it.
    random, furthest = np.random.default_rng(seed), n_thresholds // 2 + 5
    rows = (random.integers(-furthest, furthest + 1, (n_rows, n_features)) / 2).astype(np.float32)
    nudged = random.random(rows.shape) < 0.3
    rows[nudged] = np.nextafter(rows[nudged], np.float32(random.choice([-np.inf, np.inf])))
    rows[random.random(rows.shape) < share_missing] = np.nan
    rows[random.random(rows.shape) < 0.01] = random.choice([-np.inf, np.inf])

    expected = NumpyKernel(arrays).sum_path_lengths(rows)
    with mock.patch.object(ranked_trees, "_MAX_TABLE", table_bytes):
        kernels = [CompiledKernel(arrays, each) for each in (library, narrow_library)]
    for kernel in kernels:
        assert np.array_equal(kernel.sum_path_lengths(rows), expected)


@pytest.mark.parametrize(
    ("n_trees", "n_splits", "n_thresholds", "n_parts"),
    [(40, 100, 7, 1), (120, 100, 10**6, 2), (40, 0, 7, 1), (5, 1000, 7, 0)],
    ids=["one table", "two tables", "single leaves", "too many leaves"],
)
def test_trees_are_ranked_unless_they_are_too_large(n_trees, n_splits, n_thresholds, n_parts):
    """Trees of up to 256 leaves are divided so that tables stay small; larger ones are walked."""
    arrays = grow_forest(1, n_trees, n_features=2, n_splits=n_splits, n_thresholds=n_thresholds)

    parts = rank_trees(arrays)

    assert len(parts) == n_parts
    assert sum(len(part.first_leaves) for part in parts) == (n_trees if parts else 0)
    assert all(len(part.ranks) <= ranked_trees._MAX_TABLE for part in parts)


@pytest.mark.parametrize("n_rows", [1, 8, 40], ids=["one row", "walked", "in lanes"])
def test_some_trees_of_a_forest_are_summed(library: Path, n_rows: int):
    """The nodes of the others change nothing: halves of a forest are compared with each other."""
    arrays = grow_forest(seed=1, n_trees=4, n_features=2, n_splits=20)
    rows = np.random.default_rng(2).normal(size=(n_rows, 2)).astype(np.float32)
    for roots in (arrays.roots[:2], arrays.roots[2:]):
        half = replace(arrays, roots=roots)
        assert CompiledKernel(half, library).sum_path_lengths(rows).tolist() == (
            NumpyKernel(half).sum_path_lengths(rows).tolist()
        )


def test_threshold_between_two_float32_keeps_its_side(library: Path):
    """A threshold that no float32 equals is rounded down, never across a value."""
    one = np.float32(1)
    above_one = np.nextafter(one, np.float32(2))
    threshold = (float(one) + float(above_one)) / 2 + 1e-9  # rounds up to `above_one`
    assert np.float32(threshold) == above_one
    arrays = grow_forest(0, n_trees=1, n_features=1, n_splits=0)
    arrays = ForestArrays(
        **arrays.as_dict()
        | {
            "feature": np.zeros(3, np.int32),
            "threshold": np.array([threshold, 0, 0]),
            "children": np.array([[1, 2], [1, 1], [2, 2]], np.int32),
            "path_length": np.array([0, 10.0, 20.0]),
            "missing_go_to_left": np.ones(3, np.bool_),
        }
    )

    sums = CompiledKernel(arrays, library).sum_path_lengths(np.array([[one], [above_one]], np.float32))

    assert sums.tolist() == [10, 20]


@given(seed=st.integers(0, 2**32 - 1))
def test_siblings_are_next_to_each_other(seed):
    """The kernel finds the right child after the left one, and a leaf at itself."""
    arrays = grow_forest(seed, n_trees=7, n_features=3, n_splits=20)
    nodes, path_lengths, roots, depths, _ = to_nodes(arrays)

    assert (roots[1:] > roots[:-1]).all()
    assert depths.max() < 21
    own_number = np.arange(len(nodes))
    is_leaf = np.isinf(nodes["threshold"])
    assert (nodes["left"][is_leaf] == own_number[is_leaf]).all()
    assert (nodes["left"][~is_leaf] > own_number[~is_leaf]).all()
    assert (nodes["left"][~is_leaf] + 1 < len(nodes)).all()
    assert sorted(path_lengths) == sorted(arrays.path_length)


def test_library_of_another_source_is_refused(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An outdated library must not compute scores."""
    changed = tmp_path / "forest_kernel.c"
    changed.write_text(kernels.SOURCE.read_text() + "\n")
    monkeypatch.setattr(kernels, "SOURCE", changed)

    with pytest.raises(KernelNotBuilt, match="compiled from another source: run `make kernel`"):
        CompiledKernel(grow_forest(0, 1, 1, 1), library)


@pytest.mark.parametrize("content", [None, b"", b"not a library"])
def test_unusable_library_falls_back_to_numpy(tmp_path, monkeypatch, caplog, content):
    """The service works without the kernel, and logs a warning once."""
    unusable = tmp_path / "forest_kernel.so"
    if content is not None:
        unusable.write_bytes(content)
    monkeypatch.setattr(CompiledKernel.__init__, "__defaults__", (unusable,))
    arrays = grow_forest(3, n_trees=5, n_features=2, n_splits=9)
    forest._warn_once.cache_clear()

    with caplog.at_level(logging.WARNING):
        kernels = [Forest(arrays, Threshold.find(-0.5, arrays)).kernel for _ in range(3)]

    assert kernels == ["numpy"] * 3
    assert len(caplog.records) == 1
    assert "make kernel" in caplog.text


def test_failed_build_keeps_the_old_library(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A source that does not compile replaces nothing and leaves no file behind."""
    broken, old = tmp_path / "forest_kernel.c", tmp_path / "forest_kernel.so"
    broken.write_text("this is no C")
    old.write_bytes(library.read_bytes())
    monkeypatch.setattr(build_kernel, "SOURCE", broken)

    with pytest.raises(Exception, match="returned non-zero exit status"):
        build(find_compiler(), old)

    assert sorted(tmp_path.iterdir()) == sorted([broken, old])
    assert old.read_bytes() == library.read_bytes()
