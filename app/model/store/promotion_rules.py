"""Decides whether a version may go live: what a person must consent to first, and what changes for callers.

Only manifests are compared, so that the answer takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidBundle, NotPromoted, count_of
from app.model.bundle import find_problems, read_bundle, read_manifest
from app.model.live_model import CURRENT_LINK

Manifest = Mapping[str, Any]

# With fewer different rows, the scores have so few values that hardly any threshold means what it is called.
MIN_DISTINCT_ROWS = 100


@dataclass(frozen=True)
class Consent:
    """What a person consented to when a new version was made.

    Parameters
    ----------
    promote
        That it takes the place of the live version; the first version goes live without.
    replace
        That its input columns or its name differ from those of the live version.
    force
        That it goes live although it is probably of no use.
    """

    promote: bool = False
    replace: bool = False
    force: bool = False

    def require(self, models: Path, new: Manifest) -> None:
        """Refuse to make a new version live without the consent that it needs.

        Parameters
        ----------
        models
            The folder of all bundles.
        new
            The manifest of the version.

        Raises
        ------
        NotPromoted
            With the reason.
        """
        require_consent(models, new, replace=self.replace, force=self.force)
        if (models / CURRENT_LINK).is_symlink() and not self.promote:
            options = [f"--{each}" for each in ("replace", "force") if getattr(self, each)]
            raise NotPromoted("another version is live, and --promote was not given.", options)


def find_doubts(manifest: Manifest) -> list[str]:
    """Return why a model is probably of no use, each as a sentence without its full stop; empty if nothing is known.

    Parameters
    ----------
    manifest
        Of the version. What an older version's manifest does not have is not judged.

    Examples
    --------
    >>> find_doubts({"training": {"rows": 500, "flagged_rows": 0, "distinct_rows": 42, "distinct_scores": 9}})
    ['only 42 of its training rows differ, at least 100 are needed', 'it flags none of its 500 training rows']
    """
    training = manifest.get("training", {})
    rows, flagged = training.get("rows"), training.get("flagged_rows")
    doubts = []
    if (distinct := training.get("distinct_rows", MIN_DISTINCT_ROWS)) < MIN_DISTINCT_ROWS:
        doubts.append(f"only {distinct} of its training rows differ, at least {MIN_DISTINCT_ROWS} are needed")
    if training.get("distinct_scores") == 1:
        doubts.append("all its training rows have the same score")
    if flagged == 0:
        doubts.append(f"it flags none of its {count_of(rows, 'training row')}")
    elif flagged is not None and flagged == rows:
        doubts.append(f"it flags every one of its {count_of(rows, 'training row')}")
    return doubts


def list_differences(live: Manifest, new: Manifest) -> list[str]:
    """Return how a model differs from the live one for its callers: its name and its input columns.

    Parameters
    ----------
    live, new
        The manifests.

    Examples
    --------
    >>> live = {"name": "credits", "features": [{"name": "mean"}, {"name": "sd"}]}
    >>> list_differences(live, {"name": "credits", "features": [{"name": "mean"}, {"name": "age"}]})
    ['the column sd is gone', 'the column age is new']
    >>> list_differences(live, {"name": "spam", "features": [{"name": "sd"}, {"name": "mean"}]})
    ['the name is spam, not credits', 'the columns are in the order sd, mean, not mean, sd']
    """
    differences = []
    if live["name"] != new["name"]:
        differences.append(f"the name is {new['name']}, not {live['name']}")
    before, after = _kinds_by_column(live), _kinds_by_column(new)
    differences += [f"the column {name} is gone" for name in before if name not in after]
    differences += [f"the column {name} is new" for name in after if name not in before]
    differences += [
        f"the column {name} is a {after[name]}, not a {kind}"
        for name, kind in before.items()
        if name in after and after[name] != kind
    ]
    if set(before) == set(after) and list(before) != list(after):
        differences.append(f"the columns are in the order {', '.join(after)}, not {', '.join(before)}")
    return differences


def describe_change(live: Manifest, new: Manifest) -> str:
    """Return in words what changes when a version takes the place of the live one."""
    before, after = (
        f"{each['version']} (threshold {threshold_of(each):.6g}, {each['training']['flagged_share']:.3%} flagged)"
        for each in (live, new)
    )
    differences = list_differences(live, new)
    return f"{after} replaces {before}" + (f": {'; '.join(differences)}" if differences else "")


def threshold_of(manifest: Manifest) -> float:
    """Return the threshold as a score; format 1 has scikit-learn's."""
    threshold = manifest.get("threshold")
    return float(threshold["score"] if threshold else manifest["offset_"])


def read_live_manifest(models: Path) -> dict[str, Any] | None:
    """Return the manifest of the live version; None if there is none, or none that can be read.

    A live version that cannot be read needs no consent to be replaced: that is its repair.
    """
    try:
        return read_manifest(models / CURRENT_LINK, needs_signature=False)
    except InvalidBundle:
        return None


def require_consent(models: Path, new: Manifest, *, replace: bool = False, force: bool = False) -> None:
    """Refuse a version that callers of the live one could not use, or that is probably of no use.

    Parameters
    ----------
    models
        The folder of all bundles.
    new
        The manifest of the version that is to go live.
    replace
        Whether a person consents to other input columns or another name.
    force
        Whether a person consents to a model that is probably of no use.

    Raises
    ------
    NotPromoted
        With every reason, and the options that consent.
    """
    live = read_live_manifest(models)
    differences = [] if live is None or replace else list_differences(live, new)
    doubts = [] if force else find_doubts(new)
    refusals, options = [], []
    if live is not None and differences:
        refusals.append(f"it differs from the live version {live['version']}: {'; '.join(differences)}")
        options.append("--replace")
    if doubts:
        refusals.append("; ".join(doubts))
        options.append("--force")
    if refusals:
        raise NotPromoted(
            f"{new['version']} was not promoted: {'; '.join(refusals)}; to promote it nevertheless, add "
            f"{' '.join(options)}.",
            options,
        )


def require_sound(folder: Path) -> None:
    """Refuse a bundle that the service would refuse, or any of whose other files was changed.

    Parameters
    ----------
    folder
        ``models/<version>``.

    Raises
    ------
    InvalidBundle
        With the first problem found.
    """
    if problems := find_problems(folder):
        raise InvalidBundle(problems[0])
    read_bundle(folder)


def _kinds_by_column(manifest: Manifest) -> dict[str, str]:
    """Return the kind of each input column, in order; format 1 has numbers only."""
    columns = manifest.get("columns") or manifest["features"]
    return {column["name"]: column.get("kind", "number") for column in columns}
