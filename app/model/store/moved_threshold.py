"""Makes a version with the forest of another one and another threshold, in about a second and without scikit-learn."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InvalidBundle, InvalidChoice
from app.model.bundle import (
    DIGEST_FIELD,
    DRIFT_FILE,
    FOREST_FILE,
    MANIFEST_FILE,
    REFERENCE_FILE,
    SIGNATURE_FIELD,
    Bundle,
    find_problems,
    write_manifest,
)
from app.model.forest import Forest, Threshold
from app.model.store.promotion_rules import Manifest
from app.model.store.store import ModelStore
from app.model.store.versions import write_changes
from app.model.threshold_choice import TrainingScores
from app.model.version_log import CHANGES_FILE, THRESHOLD, VersionChange, name_operator
from app.server.atomic_file import replacing

# Pages for people, which say what the threshold was when they were written.
_REPORT_FILE, _CARD_FILE = "report.html", "model_card.md"


@dataclass(frozen=True)
class MovedThreshold:
    """A version with another threshold.

    Parameters
    ----------
    folder
        Of the new version.
    manifest
        Its manifest, without the digests.
    """

    folder: Path
    manifest: dict[str, Any]


def move_threshold(
    store: ModelStore,
    bundle: Bundle,
    score: float,
    recalibrate: Callable[[Path, Path, float], None],
    who: str = "",
    check: Callable[[Manifest], None] = lambda manifest: None,
) -> MovedThreshold:
    """Add a version with the same forest and another threshold; it is not live yet.

    Parameters
    ----------
    store
        The folder of all bundles.
    bundle
        The version whose forest is used, of format 2.
    score
        The new threshold, in [-1, 0]: rows with a lower score are outliers.
    recalibrate
        Called with the new version's ``drift.npz``, which may not exist, its ``reference.npz``, and the share of the
        training rows that the new threshold flags, in [0, 1].
    who
        Who does it, for the audit trail; by default who runs this process.
    check
        Called with the new version's manifest before it is stored; if it raises, nothing is.

    Raises
    ------
    InvalidChoice
        If the score is out of range, or the bundle is of format 1.
    ModelsNotWritable
        If the store cannot be written; it then stays as it was.
    """
    if not -1 <= score <= 0:
        raise InvalidChoice(f"The score {score:g} is out of range; scores are between -1 and 0.")
    if "threshold" not in bundle.manifest:
        raise InvalidChoice(f"{bundle.version} is a bundle of format 1, whose threshold cannot be moved: train again.")
    threshold = Threshold.find(score, bundle.forest.arrays)
    scores = TrainingScores.read(bundle.folder / REFERENCE_FILE)
    n_flagged = scores.count_flagged(score)
    moved_at, who = datetime.now(UTC), who or name_operator()
    before = bundle.forest.threshold.score
    training = bundle.manifest["training"] | {"flagged_rows": n_flagged, "flagged_share": n_flagged / scores.n_rows}
    if "sample" in training:
        # Both are about the threshold of the training, and the rows that were not drawn are not here.
        training["sample"] = training["sample"] | {"flagged_rows_seen": None, "flagged_share_band": None}
    with store.writing() as folder:
        for file in (MANIFEST_FILE, *bundle.manifest["files"]):
            shutil.copyfile(bundle.folder / file, folder / file)
        version = store.find_free_version(bundle.manifest["files"][FOREST_FILE], moved_at)
        manifest = {key: value for key, value in bundle.manifest.items() if key not in (DIGEST_FIELD, SIGNATURE_FIELD)}
        manifest |= {
            "version": version,
            "threshold": asdict(threshold),
            "training": training,
            "golden": manifest["golden"] | {"is_inlier": _label_golden_rows(bundle, threshold)},
            "moved_threshold": {
                "from_version": bundle.version,
                "from_score": before,
                "moved_at": moved_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "moved_by": who,
            },
        }
        check(manifest)
        _count_flagged(folder / REFERENCE_FILE, n_flagged)
        recalibrate(folder / DRIFT_FILE, folder / REFERENCE_FILE, n_flagged / scores.n_rows)
        _add_notes(folder, f"The threshold was moved to {score:.6g} later; what this page says is about {before:.6g}.")
        write_manifest(folder, manifest)
        if problems := find_problems(folder, needs_signature=False):
            raise InvalidBundle(problems[0])
        note = f"the threshold was moved from {before!r} to {score!r}"
        change = VersionChange(time.time_ns(), who, THRESHOLD, bundle.version, version, note)
        with replacing(store.folder / CHANGES_FILE) as changes:
            write_changes(changes, change)
            place = store.add(folder, version)
    return MovedThreshold(place, manifest)


def _label_golden_rows(bundle: Bundle, threshold: Threshold) -> list[int]:
    """Return the labels of the golden rows; null is a missing value."""
    rows = np.array(bundle.manifest["golden"]["rows"], np.float64)
    _, labels = Forest(bundle.forest.arrays, threshold, encoding=bundle.forest.encoding).score_and_label(rows)
    return [int(label) for label in labels]


def _count_flagged(file: Path, n_flagged: int) -> None:
    """Replace the number of flagged training rows, from which the confidence of a label is computed."""
    with np.load(file, allow_pickle=False) as read:
        arrays = dict(read)
    np.savez(file, allow_pickle=False, **arrays | {"n_flagged": np.int64(n_flagged)})


def _add_notes(folder: Path, note: str) -> None:
    """Add a note to the report and the model card, which training wrote."""
    if (card := folder / _CARD_FILE).exists():
        card.write_text(f"{card.read_text(encoding='utf-8').rstrip()}\n\n{note}\n", encoding="utf-8")
    if (report := folder / _REPORT_FILE).exists():
        page = report.read_text(encoding="utf-8")
        report.write_text(page.replace("</h1>", f"</h1>\n<p><strong>{note}</strong></p>", 1), encoding="utf-8")
