"""The report and the model card of a bundle: what the model learnt, from which data, and how well it does.

Both show the same tables and sentences, which are made here from the manifest and laid out by ``templates/``. The
report is an HTML page that works without any other file or host; the model card is a page of Markdown.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from jinja2 import Environment, FileSystemLoader

from app.errors import count_of
from training.fitting.evaluate import FIGURE_TITLES, describe_agreement

_REPORT_FILE, _CARD_FILE = "report.html", "model_card.md"

# Rows of cells; the first row is the head.
Table: TypeAlias = tuple[tuple[str, ...], ...]

SET_TITLES = {"train": "training", "test": "test"}

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


def write_report(folder: Path, manifest: dict[str, Any], pictures: dict[str, bytes]) -> None:
    """Write ``report.html`` into a bundle.

    Parameters
    ----------
    folder
        The bundle that is being written.
    manifest
        The bundle's manifest.
    pictures
        PNG files by name.
    """
    shown = [
        {"caption": caption, "data": base64.b64encode(pictures[file]).decode()}
        for file, caption in _CAPTIONS.items()
        if file in pictures
    ]
    page = _HTML.get_template("report.html").render(
        _collect_facts(manifest), pictures=shown, has_boundary="boundary.png" in pictures
    )
    (folder / _REPORT_FILE).write_text(f"{page}\n", encoding="utf-8", newline="\n")


def write_model_card(folder: Path, manifest: dict[str, Any]) -> None:
    """Write ``model_card.md`` into a bundle; parameters are those of :func:`write_report`."""
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
        "features": _tabulate_features(manifest),
        "parameters": _tabulate_parameters(manifest),
        "figures": _tabulate_figures(evaluation),
        "contaminations": _tabulate_contaminations(evaluation),
        "agreement_curve": (
            ("trees", "agreement of two halves"),
            *((f"{n_trees:,}", f"{agreement:.3f}") for n_trees, agreement in manifest["agreement_curve"] if agreement),
        ),
        "label_figures": _tabulate_label_figures(evaluation),
        "versions": _tabulate_versions(manifest),
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
    return (
        f"A table with {count_of(len(data['columns']), 'column')}. Every cell of a used column is a finite number, a "
        "level or missing; a file with any other cell is refused, and nothing is filled in or skipped. "
        f"Left-out columns: {', '.join(left_out) or 'none'}. "
        f"Labels: {f'column {label}, never used for fitting' if label else 'none'}."
    )


def _tabulate_features(manifest: dict[str, Any]) -> Table:
    """Tabulate the features with their training ranges."""
    features = ((each["name"], f"{each['low']:g}", f"{each['high']:g}") for each in manifest["features"])
    return (("feature", "smallest", "largest"), *features)


def _tabulate_parameters(manifest: dict[str, Any]) -> Table:
    """Tabulate the result of ``get_params()``."""
    parameters = ((name, str(value)) for name, value in manifest["parameters"].items())
    return (("parameter", "value"), *parameters)


def _tabulate_figures(evaluation: dict[str, Any]) -> Table:
    """Tabulate the figures of each set of rows side by side."""
    sets = list(evaluation.values())
    quantiles = (
        (f"score, quantile {quantile}", *(f"{figures['score_quantiles'][quantile]:.4f}" for figures in sets))
        for quantile in sets[0]["score_quantiles"]
    )
    return (
        ("", *(SET_TITLES[name] for name in evaluation)),
        ("rows", *(f"{figures['rows']:,}" for figures in sets)),
        ("outliers", *(f"{figures['flagged_rows']:,}" for figures in sets)),
        ("inliers", *(f"{figures['inlier_share']:.3%}" for figures in sets)),
        *quantiles,
    )


def _tabulate_contaminations(evaluation: dict[str, Any]) -> Table:
    """Tabulate how many rows of each set each contamination would flag, with their share."""
    sets = list(evaluation.values())
    choices = zip(*(figures["flagged_by_contamination"] for figures in sets), strict=True)
    return (
        ("contamination", "threshold", *(f"{SET_TITLES[name]} rows flagged" for name in evaluation)),
        *(
            (
                str(choice[0]["contamination"]),
                f"{choice[0]['threshold']:.4f}",
                *(
                    f"{each['flagged_rows']:,} ({each['flagged_rows'] / figures['rows']:.3%}){_show_quality(each)}"
                    for each, figures in zip(choice, sets, strict=True)
                ),
            )
            for choice in choices
        ),
    )


def _show_quality(choice: dict[str, Any]) -> str:
    """Format precision and recall of a contamination, if the rows have labels."""
    figures = [(title, choice[title]) for title in ("precision", "recall") if choice.get(title) is not None]
    return "".join(f"; {title} {figure:.3f}" for title, figure in figures)


def _tabulate_label_figures(evaluation: dict[str, Any]) -> Table | None:
    """Tabulate how well each set of rows agrees with its true labels; None without labels."""
    labelled = {name: figures["labels"] for name, figures in evaluation.items() if "labels" in figures}
    if not labelled:
        return None
    return (
        ("", *(SET_TITLES[name] for name in labelled)),
        *(
            (title, *(_show_figure(figures[key]) for figures in labelled.values()))
            for key, title in FIGURE_TITLES.items()
        ),
    )


def _tabulate_versions(manifest: dict[str, Any]) -> Table:
    """Tabulate the versions that the model was trained with."""
    versions = manifest["versions"]
    called = {"python": "Python", "numpy": "NumPy", "scikit_learn": "scikit-learn"}
    return (("package", "version"), *((called[name], versions[name]) for name in called))


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


def _show_figure(figure: float | int | None) -> str:
    """Format a figure of a comparison with labels."""
    if figure is None:
        return "needs outliers and inliers"
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4f}"
