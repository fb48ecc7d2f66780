"""Which versions go live by themselves, and which need a person's consent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import NotPromoted
from app.model.bundle import write_manifest
from app.model.store.promotion_rules import Consent, describe_change, find_doubts, require_consent
from app.model.store.store import ModelStore
from tests.model.store.made_versions import FIRST, SECOND, THIRD, accept_all

CREDITS = {"name": "credits", "features": [{"name": "mean"}, {"name": "sd"}], "offset_": -0.5}
TRAINING = {"rows": 500, "flagged_rows": 5, "flagged_share": 0.01, "distinct_rows": 400, "distinct_scores": 300}


def manifest(version: str, **other: Any) -> dict[str, Any]:
    """Return a manifest, sound enough for the rules."""
    return {**CREDITS, "version": version, "training": TRAINING, **other}


def publish(store: ModelStore, version: str, **other: Any) -> None:
    """Publish a bundle that consists of a manifest."""
    with store.writing() as folder:
        (folder / "file").write_text(version)
        write_manifest(folder, manifest(version, **other))
        store.publish(folder, version)


def test_only_the_first_version_goes_live_by_itself(store: ModelStore):
    """All later ones need --promote."""
    Consent().require(store.folder, manifest(FIRST))
    publish(store, FIRST)
    with pytest.raises(NotPromoted, match="another version is live, and --promote was not given"):
        Consent().require(store.folder, manifest(SECOND))
    Consent(promote=True).require(store.folder, manifest(SECOND))


def test_other_columns_and_names_need_replace(store: ModelStore):
    """The message lists every difference and the option."""
    publish(store, FIRST)
    columns = [{"name": "sd", "kind": "category"}, {"name": "age", "kind": "number"}]
    other = manifest(SECOND, name="spam", columns=columns)

    with pytest.raises(NotPromoted) as refusal:
        Consent(promote=True).require(store.folder, other)
    assert str(refusal.value) == (
        f"{SECOND} was not promoted: it differs from the live version {FIRST}: the name is spam, not credits; the "
        "column mean is gone; the column age is new; the column sd is a category, not a number; to promote it "
        "nevertheless, add --replace."
    )
    assert refusal.value.options == ("--replace",)
    Consent(promote=True, replace=True).require(store.folder, other)
    assert describe_change(manifest(FIRST), other).startswith(
        f"{SECOND} (threshold -0.5, 1.000% flagged) replaces {FIRST}"
    )


def test_a_live_version_that_cannot_be_read_needs_no_replace(store: ModelStore):
    """Replacing it is its repair."""
    publish(store, FIRST)
    (store.folder / FIRST / "manifest.json").write_text(json.dumps(CREDITS))
    require_consent(store.folder, manifest(SECOND, name="spam"))


@pytest.mark.parametrize(
    ("facts", "doubt"),
    [
        ({"distinct_rows": 99}, "only 99 of its training rows differ, at least 100 are needed"),
        ({"distinct_scores": 1}, "all its training rows have the same score"),
        ({"flagged_rows": 0}, "it flags none of its 500 training rows"),
        ({"flagged_rows": 500}, "it flags every one of its 500 training rows"),
    ],
)
def test_models_of_no_use_need_force(tmp_path: Path, facts: dict[str, int], doubt: str):
    """Also the first one."""
    new = manifest(FIRST, training=TRAINING | facts)
    assert find_doubts(new) == [doubt]
    with pytest.raises(NotPromoted, match=f"{doubt}; to promote it nevertheless, add --force"):
        Consent().require(tmp_path, new)
    Consent(force=True).require(tmp_path, new)
    assert find_doubts(manifest(FIRST, training=TRAINING | {"distinct_rows": 100})) == []


def test_rollback_stays_within_a_name(store: ModelStore):
    """A model of another name takes other rows."""
    publish(store, FIRST)
    publish(store, SECOND, name="spam")
    publish(store, THIRD)

    assert store.rollback(accept_all) == FIRST
