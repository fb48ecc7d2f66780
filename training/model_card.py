"""The model card: what a person who meets this model has to know, in one page of Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_CARD_FILE = "model_card.md"

_LIMITS = """\
- A score is no probability. It says how quickly random cuts isolate a row from the training rows, in [-1, 0];
  the lower, the more abnormal. A score of -0.8 is not "80 % abnormal".
- Outlier means unlike the training rows, not wrong, fraudulent or worth less. A person should look before
  anybody is treated differently for it.
- The contamination is the share of *training* rows that is flagged; live traffic is flagged as often only as
  long as it resembles them.
- The cuts are parallel to the axes: a row whose single values are all common, in an uncommon combination, may
  pass.
- Beyond the range of the training rows all values look alike: no tree cuts there."""


def write_model_card(folder: Path, manifest: dict[str, Any]) -> None:
    """Write ``model_card.md`` into a bundle.

    Parameters
    ----------
    folder
        The bundle that is being written.
    manifest
        What the bundle's manifest says.
    """
    (folder / _CARD_FILE).write_text(_compose(manifest), encoding="utf-8", newline="\n")


def _compose(manifest: dict[str, Any]) -> str:
    """Lay the card out."""
    training, versions = manifest["training"], manifest["versions"]
    features = "\n".join(
        f"| {_escape(feature['name'])} | {feature['low']:g} | {feature['high']:g} |" for feature in manifest["features"]
    )
    parameters = "\n".join(f"| `{name}` | {_escape(value)} |" for name, value in manifest["parameters"].items())
    return f"""\
# Model card: {manifest["name"]} {manifest["version"]}

## Purpose
Tells rows that resemble the training rows (inliers) from rows that do not (outliers). It is an Isolation
Forest, trained {manifest["trained_at"]}, and made to raise a person's attention, not to decide.

## Data
{_describe_data(training)}

| feature | smallest | largest |
|---|---|---|
{features}

## Training parameters
| parameter | value |
|---|---|
{parameters}

Rows with a score below {manifest["offset_"]:.6g} are outliers.

## Figures
{_tabulate_figures(manifest["evaluation"])}

## Limits
{_LIMITS}

## Licence
Isowatch, which wrote this bundle, is under the Apache License 2.0. The model is under whatever licence its
training data allow; whoever publishes it has to say which.

## Versions
Python {versions["python"]}, NumPy {versions["numpy"]}, scikit-learn {versions["scikit_learn"]}.
"""


def _describe_data(training: dict[str, Any]) -> str:
    """Say what the model was trained on."""
    origin = (
        "**The data are synthetic**: made by `training.synthetic_credits` to resemble the credits that "
        "customers spend. No person stands behind a row, and the figures say nothing about real customers."
        if training["synthetic"]
        else "Where the rows come from, and whether people agreed to this use, is not recorded here."
    )
    return (
        f"`{training['file']}`, {training['rows']:,} rows, sha256 `{training['sha256']}`.\n{origin}\n"
        f"{training['flagged_rows']:,} of its rows ({training['flagged_share']:.3%}) are flagged."
    )


def _tabulate_figures(evaluation: dict[str, Any]) -> str:
    """Put the figures of each set of rows beside each other."""
    sets = list(evaluation)
    lines = [("", *sets), ("---",) * (len(sets) + 1)]
    lines.append(("rows", *(f"{evaluation[name]['rows']:,}" for name in sets)))
    lines.append(("inliers", *(f"{evaluation[name]['inlier_share']:.3%}" for name in sets)))
    for quantile in evaluation[sets[0]]["score_quantiles"]:
        scores = (f"{evaluation[name]['score_quantiles'][quantile]:.4f}" for name in sets)
        lines.append((f"score, quantile {quantile}", *scores))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escape(value: object) -> str:
    """Keep a name from breaking out of its cell of a Markdown table."""
    return str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
