"""The report: what was learnt from which data, in one page of HTML that works without any other file or host."""

from __future__ import annotations

import base64
from datetime import datetime
from html import escape
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

_REPORT_FILE = "report.html"

# What each picture shows, in the order of the page.
_CAPTIONS = {
    "boundary_base.png": (
        'The trees under contamination "auto", which flags scores below -0.5, as the original paper does: far too much '
        "in heavy-tailed data. The axes are in the units of the data."
    ),
    "boundary.png": "The same trees under the chosen contamination, which moves the boundary to flag as many as asked.",
    "boundary_test.png": (
        "Rows that the model never saw, in the colour of the label that it gave them. Those beyond the range of the "
        "training rows stand at the edge."
    ),
    "scores.png": "How many training rows have which score. Rows left of the line are outliers.",
    "scores_test.png": "How many test rows have which score.",
}

# No script and no other host: a browser is told to refuse them, should a name of a column ever slip through.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """\
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; max-width: 62rem;
  padding: 1.5rem; overflow-wrap: anywhere; }
h1 { margin-bottom: 0; line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d0d7de; }
.notice { background: #fff4d6; border-left: 4px solid #b7791f; padding: .5rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { border-bottom: 1px solid #d0d7de; padding: .3rem .9rem; text-align: right; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { border-bottom: 2px solid #8c959f; }
tbody th { font-weight: normal; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; }
figcaption { color: #57606a; }
code { font-size: .9em; }
"""


def write_report(folder: Path, manifest: dict[str, Any], pictures: dict[str, bytes]) -> None:
    """Write ``report.html`` into a bundle.

    Parameters
    ----------
    folder
        The bundle that is being written.
    manifest
        What the bundle's manifest says.
    pictures
        PNG files by their names.
    """
    (folder / _REPORT_FILE).write_text(_compose(manifest, pictures), encoding="utf-8", newline="\n")


def _compose(manifest: dict[str, Any], pictures: dict[str, bytes]) -> str:
    """Lay the page out."""
    title = escape(f"{manifest['name']} {manifest['version']}")
    evaluation, trained_at = manifest["evaluation"], datetime.fromisoformat(manifest["trained_at"])
    sections = (
        ("What was learnt", _show_pictures(pictures)),
        ("Figures", _lay_out(tabulate_figures(evaluation))),
        (
            "What other contaminations would flag",
            "<p>The trees are the same for each; only the threshold moves.</p>"
            + _lay_out(tabulate_contaminations(evaluation)),
        ),
        ("Against known labels", _compare_with_labels(evaluation)),
        ("How the data were read", _describe_data(manifest)),
        ("Training parameters", _lay_out(tabulate_parameters(manifest))),
        ("Limits", f"<ul>{''.join(f'<li>{escape(limit)}</li>' for limit in LIMITS)}</ul>"),
        ("Licence", _paragraph(LICENCE)),
        ("Versions", _lay_out(tabulate_versions(manifest))),
    )
    body = "\n".join(f"<h2>{heading}</h2>\n{content}" for heading, content in sections)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}: training report</title>
<style>
{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p>Trained {trained_at:%d %B %Y, %H:%M} UTC.</p>
{_paragraph(PURPOSE)}
{_summarise(manifest)}
{body}
</body>
</html>
"""


def _summarise(manifest: dict[str, Any]) -> str:
    """Say what matters most in two sentences."""
    training = manifest["training"]
    notice = f'<p class="notice">{escape(describe_origin(training))}</p>' if training["synthetic"] else ""
    return notice + _paragraph(
        f"Rows with a score below {manifest['offset_']:.6g} are outliers: {training['flagged_rows']:,} of "
        f"{training['rows']:,} training rows ({training['flagged_share']:.3%}), with contamination "
        f"{manifest['parameters']['contamination']}."
    )


def _show_pictures(pictures: dict[str, bytes]) -> str:
    """Put the pictures into the page itself."""
    figures = [
        f'<figure><img src="data:image/png;base64,{base64.b64encode(pictures[file]).decode()}" '
        f'alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'
        for file, caption in _CAPTIONS.items()
        if file in pictures
    ]
    if "boundary.png" not in pictures:
        figures.insert(0, _paragraph("A model of one feature has no boundary to draw in two dimensions."))
    return "\n".join(figures)


def _describe_data(manifest: dict[str, Any]) -> str:
    """Say which files were read, and how."""
    training, features = manifest["training"], [feature["name"] for feature in manifest["features"]]
    files = [("train", training)]
    if "test" in manifest["evaluation"]:
        files.append(("test", manifest["evaluation"]["test"]))
    paragraphs = [
        f"<p>{SET_TITLES[name].capitalize()}: <code>{escape(data['file'])}</code>, {data['rows']:,} rows, sha256 "
        f"<code>{data['sha256']}</code>.<br>{escape(describe_reading(data, features))}</p>"
        for name, data in files
    ]
    return "\n".join([_paragraph(describe_origin(training)), *paragraphs, _lay_out(tabulate_features(manifest))])


def _compare_with_labels(evaluation: dict[str, Any]) -> str:
    """Say how the model agrees with known labels."""
    table = tabulate_label_figures(evaluation)
    if table is None:
        return _paragraph(
            "No labels were known: how many of the outliers are real ones has not been measured. Name a column that "
            "marks known outliers with --label."
        )
    return _paragraph("The labels were not used for fitting.") + _lay_out(table)


def _lay_out(table: Table) -> str:
    """Write a table in HTML."""
    head, *rows = table
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in others)}</tr>'
        for first, *others in rows
    )
    return f'<div class="scroll"><table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _paragraph(text: str) -> str:
    """Write a paragraph."""
    return f"<p>{escape(text)}</p>"
