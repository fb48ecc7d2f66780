"""The report and the model card of a bundle: what the model learnt, from which data, and how well it does.

Both show the same tables and sentences, which are made here from the manifest and laid out by ``templates/``. The
report is an HTML page that works without any other file or host; the model card is a page of Markdown.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from app.errors import count_of
from training.bundle.facts import describe_sample
from training.bundle.report_tables import (
    SET_TITLES,
    tabulate_contaminations,
    tabulate_features,
    tabulate_figures,
    tabulate_importance,
    tabulate_label_figures,
    tabulate_parameters,
    tabulate_rows,
    tabulate_versions,
)
from training.fitting.evaluate import describe_agreement
from training.fitting.explain import AbnormalRow, Importance

_REPORT_FILE, _CARD_FILE = "report.html", "model_card.md"

PURPOSE = (
    "Separates rows that resemble the training rows (inliers) from rows that do not (outliers). It is an Isolation "
    "Forest, meant to draw a person's attention, not to make decisions."
)

LIMITS = (
    "A score is not a probability. It says how quickly random cuts isolate a row from the training rows, in [-1, 0]; "
    'the lower, the more abnormal. A score of -0.8 is not "80 % abnormal".',
    "Outlier means unlike the training rows, not wrong, fraudulent or worth less. A person should check before anybody "
    "is treated differently because of it.",
    "The contamination is the share of training rows that is flagged; live traffic is flagged as often only as long as "
    "it resembles them. Rows with equal scores are flagged together or not at all, so the share is only approximate.",
    "The cuts are parallel to the axes: a row that combines common values in an uncommon way may not be flagged.",
    "Beyond the range of the training rows, all values are alike to the model: no tree cuts there.",
)

LICENCE = (
    "Isowatch, which wrote this bundle, is under the Apache License 2.0. The model may be published under "
    "whatever licence its training data allow; its publisher has to state which."
)

# What each picture shows, in the order of the page.
_CAPTIONS = {
    "boundary_base.png": (
        'The trees under contamination "auto", which flags scores below -0.5, as in the original paper: far too much '
        "for heavy-tailed data. The axes are in the units of the data."
    ),
    "boundary.png": "The same trees under the chosen contamination, which moves the boundary to flag this share.",
    "boundary_test.png": (
        "Rows that the model never saw, coloured by predicted label. Those beyond the range of the training rows are "
        "drawn at the edge."
    ),
    "scores.png": "Distribution of the training scores. Rows left of the line are outliers.",
    "scores_test.png": "Distribution of the test scores.",
    "thresholds.png": (
        "What another threshold would flag, for 1,000 rows an hour; where labels are known, with which precision and "
        "recall. The command threshold moves it; the trees stay the same."
    ),
    "importance.png": (
        "How much each column moves log2(-anomaly_score), in either direction. Columns that matter more for outliers "
        "than for all rows are those that raise alarms."
    ),
}


class _Markdown(str):
    """Text that is Markdown already."""


# What would begin a tag, emphasis, code, a link or a cell of a table.
_MARKUP = re.compile(r"([\\`*_\[\]|<>])")


def _escape_markdown(value: object) -> str:
    r"""Keep text from being read as markup.

    Examples
    --------
    >>> print(_escape_markdown("a|b_<c>"))
    a\|b\_\<c\>
    """
    return value if isinstance(value, _Markdown) else _MARKUP.sub(r"\\\1", str(value))


def _to_code(text: str) -> _Markdown:
    """Write a code span, in which a backslash escapes nothing."""
    return _Markdown(f"`{text.replace('`', chr(39))}`")


_LOADER = FileSystemLoader(Path(__file__).with_name("templates"))
_HTML = Environment(loader=_LOADER, autoescape=True, trim_blocks=True, lstrip_blocks=True)
# Jinja2 escapes HTML only; ``finalize`` escapes every value for Markdown instead.
_MARKDOWN = Environment(
    loader=_LOADER,
    autoescape=False,
    finalize=_escape_markdown,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_MARKDOWN.filters["code"] = _to_code


def write_report(
    folder: Path,
    manifest: dict[str, Any],
    pictures: dict[str, bytes],
    importance: Importance,
    abnormal_rows: Sequence[AbnormalRow],
) -> None:
    """Write ``report.html`` into a bundle.

    Parameters
    ----------
    folder
        The bundle that is being written.
    manifest
        The bundle's manifest.
    pictures
        PNG files by name.
    importance
        The importance of the columns.
    abnormal_rows
        The most abnormal training rows.
    """
    shown = [
        {"caption": caption, "data": base64.b64encode(pictures[file]).decode()}
        for file, caption in _CAPTIONS.items()
        if file in pictures
    ]
    page = _HTML.get_template("report.html").render(
        _collect_facts(manifest),
        pictures=shown,
        importance=tabulate_importance(importance),
        abnormal_rows=tabulate_rows(abnormal_rows),
    )
    (folder / _REPORT_FILE).write_text(f"{page}\n", encoding="utf-8", newline="\n")


def write_model_card(folder: Path, manifest: dict[str, Any]) -> None:
    """Write ``model_card.md`` into a bundle; it holds no row, so that it can be published."""
    card = _MARKDOWN.get_template("model_card.md").render(_collect_facts(manifest))
    (folder / _CARD_FILE).write_text(card, encoding="utf-8", newline="\n")


def _collect_facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """Collect what both templates show."""
    training, evaluation = manifest["training"], manifest["evaluation"]
    names = [column["name"] for column in manifest["columns"]]
    data = {"train": training} | ({"test": evaluation["test"]} if "test" in evaluation else {})
    return {
        "title": f"{manifest['name']} {manifest['version']}",
        "trained_at": f"{datetime.fromisoformat(manifest['trained_at']):%d %B %Y, %H:%M} UTC",
        "purpose": PURPOSE,
        "limits": (*LIMITS, *training.get("doubts", ())),
        "licence": LICENCE,
        "is_synthetic": training["synthetic"],
        "origin": _describe_origin(training),
        "summary": f"Rows with a score below {manifest['offset_']:.6g} are outliers: {training['flagged_rows']:,} of "
        f"{training['rows']:,} training rows ({training['flagged_share']:.3%}), with contamination "
        f"{manifest['parameters']['contamination']}. {describe_agreement(manifest['agreement'])}",
        "files": [
            {
                "title": SET_TITLES[name].capitalize(),
                "name": each["file"],
                "rows": f"{each['rows']:,}",
                "sha256": each["sha256"],
                "reading": _describe_reading(each, names),
            }
            for name, each in data.items()
        ],
        "features": tabulate_features(manifest),
        "parameters": tabulate_parameters(manifest),
        "figures": tabulate_figures(evaluation),
        "contaminations": tabulate_contaminations(evaluation),
        "agreement_curve": (
            ("trees", "agreement of two halves"),
            *((f"{n_trees:,}", f"{agreement:.3f}") for n_trees, agreement in manifest["agreement_curve"] if agreement),
        ),
        "label_figures": tabulate_label_figures(evaluation),
        "versions": tabulate_versions(manifest),
    }


def _describe_origin(training: dict[str, Any]) -> str:
    """Describe the origin of the data, from the manifest's part about the training data."""
    if training["synthetic"]:
        return (
            "The data are synthetic: made by training.data.synthetic to resemble the credits that customers spend. "
            "No row is a real person, and the figures say nothing about real customers."
        )
    if records := training.get("records"):
        return (
            f"The rows are requests that a running service answered between {records['since']} and {records['until']}. "
            "Whether the people concerned agreed to this use is not recorded here."
        )
    return "Where the rows come from, and whether people agreed to this use, is not recorded here."


def _describe_reading(data: dict[str, Any], features: list[str]) -> str:
    """Describe how a file was read, from the manifest's part about it and the names of the features."""
    if records := data.get("records"):
        return _describe_records(records)
    label = data["label_column"]
    left_out = [column for column in data["columns"] if column not in (*features, label)]
    drawn = describe_sample(data)
    if drawn:
        drawn = f"{drawn}. How many rows differ, the drift reference and the calibration are of the drawn rows. "
    return (
        f"A table with {count_of(len(data['columns']), 'column')}. {drawn}Every cell of a used column is a finite "
        f"number, a level or missing; a {'drawn row' if drawn else 'file'} with any other cell is refused, and nothing "
        f"is filled in or skipped. Left-out columns: {', '.join(left_out) or 'none'}. "
        f"Labels: {f'column {label}, never used for fitting' if label else 'none'}."
    )


def _describe_records(records: dict[str, Any]) -> str:
    """Describe how the training rows were drawn from records."""
    return (
        f"Of {records['read']:,} recorded rows, {records['other_features'] + records['without_features']:,} have other "
        f"features or none, {records['judging']:,} are in the holdout set, and from the "
        f"{records['shaping']:,} others these were drawn, each answered row with probability {records['chance']:.3g}. "
        + (
            f"{records['labelled_outliers']:,} of them were labelled outliers; they were "
            + ("left out when trees were grown." if records["excluded_outliers"] else "trained on like all others.")
            if records["labelled_outliers"]
            else "None of them was labelled an outlier."
        )
    )
