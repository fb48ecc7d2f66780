"""The model card: what a person who meets this model has to know, in one page of Markdown."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from training.bundle.facts import (
    LICENCE,
    LIMITS,
    PURPOSE,
    SET_TITLES,
    Table,
    describe_origin,
    describe_reading,
    tabulate_contaminations,
    tabulate_features,
    tabulate_figures,
    tabulate_label_figures,
    tabulate_parameters,
    tabulate_versions,
)

_CARD_FILE = "model_card.md"

# What would begin a tag, emphasis, code, a link or a cell of a table.
_MARKUP = re.compile(r"([\\`*_\[\]|<>])")


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
    trained_at = datetime.fromisoformat(manifest["trained_at"])
    evaluation, limits = manifest["evaluation"], "\n".join(f"- {limit}" for limit in LIMITS)
    return f"""\
# Model card: {_escape(manifest["name"])} {manifest["version"]}

Trained {trained_at:%d %B %Y, %H:%M} UTC. `report.html` beside this file shows the same with pictures.

## Purpose
{PURPOSE}

## Data
{_describe_data(manifest)}

{_lay_out(tabulate_features(manifest))}

## Training parameters
{_lay_out(tabulate_parameters(manifest))}

Rows with a score below {manifest["offset_"]:.6g} are outliers.

## Figures
{_lay_out(tabulate_figures(evaluation))}

What other contaminations would flag, with the same trees:

{_lay_out(tabulate_contaminations(evaluation))}

{_compare_with_labels(evaluation)}

## Limits
{limits}

## Licence
{LICENCE}

## Versions
{_lay_out(tabulate_versions(manifest))}
"""


def _describe_data(manifest: dict[str, Any]) -> str:
    """Say what the model was trained and tested on."""
    training, features = manifest["training"], [feature["name"] for feature in manifest["features"]]
    origin = describe_origin(training)
    if training["synthetic"]:
        origin = f"**{origin}**"
    files = [("train", training)]
    if "test" in manifest["evaluation"]:
        files.append(("test", manifest["evaluation"]["test"]))
    paragraphs = [
        f"{SET_TITLES[name].capitalize()}: `{data['file']}`, {data['rows']:,} rows, sha256 `{data['sha256']}`.\n"
        f"{_escape(describe_reading(data, features))}"
        for name, data in files
    ]
    return "\n\n".join([origin, *paragraphs])


def _compare_with_labels(evaluation: dict[str, Any]) -> str:
    """Say how the model agrees with known labels."""
    table = tabulate_label_figures(evaluation)
    if table is None:
        return "No labels were known: how many of the outliers are real ones has not been measured."
    return f"Against known labels, which were not used for fitting:\n\n{_lay_out(table)}"


def _lay_out(table: Table) -> str:
    """Write a table in Markdown."""
    head, *rows = ([_escape(cell) for cell in row] for row in table)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def _escape(text: str) -> str:
    r"""Keep a name from being read as markup.

    Examples
    --------
    >>> print(_escape("a|b_<c>"))
    a\|b\_\<c\>
    """
    return _MARKUP.sub(r"\\\1", text)
