"""Turns a bundle into one of format 1, as the first release wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.model.bundle import FOREST_FILE, read_manifest, write_manifest
from app.model.forest_arrays import FOREST_ARRAYS

_NEW_FIELDS = ("columns", "quantile_levels", "encoding", "threshold", "has_out_of_bag_scores")


def rewrite_as_format_1(folder: Path) -> None:
    """Remove what format 1 did not have, and write the threshold where it had it."""
    arrays, manifest = dict(np.load(folder / FOREST_FILE)), read_manifest(folder)
    of_format_1 = {name: arrays[name] for name in FOREST_ARRAYS[1] if name != "offset"}
    np.savez(folder / FOREST_FILE, **of_format_1, offset=np.float64(manifest["offset_"]))
    kept = {key: value for key, value in manifest.items() if key not in _NEW_FIELDS}
    write_manifest(folder, kept | {"format_version": 1})
