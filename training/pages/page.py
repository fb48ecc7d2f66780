"""Writing an HTML page that holds all it needs: style, script, and each figure's numbers.

Where a page is stored.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from training.atomic_file import replacing
from training.errors import ModelsNotWritable

_FOLDER = Path(__file__).parent

# The page is given away as a file, so it says itself that it asks no host for anything, whatever a script would like.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"

# Characters of a saved picture's name which every file system takes.
_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class SelfContainedPage:
    """A page that is written from top to bottom; all text is plain text.

    Parameters
    ----------
    title
        What the page is about.

    Examples
    --------
    >>> page = SelfContainedPage("Credits")
    >>> page.begin_section("First rows")
    >>> page.add_paragraph("Amounts below 5 are written <5.")
    >>> "<p>Amounts below 5 are written &lt;5.</p>" in page.render()
    True
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._sections: list[str] = []
        self._parts: list[str] = []

    def begin_section(self, heading: str) -> None:
        """Begin a section; the list of them stands at the top of the page."""
        self._sections.append(heading)
        self._parts.append(f'<h2 id="section-{len(self._sections)}">{html.escape(heading)}</h2>')

    def add_heading(self, heading: str) -> None:
        """Add a heading within a section."""
        self._parts.append(f"<h3>{html.escape(heading)}</h3>")

    def add_paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{html.escape(text, quote=False)}</p>")

    def add_table(self, table: pd.DataFrame) -> None:
        """Add a table of numbers and texts; its index and columns are the headings."""
        formats = [_FORMATS.get(kind.kind, str) for kind in table.dtypes]
        if table.columns.nlevels == 1:
            # Else pandas gives the name of the index a line of its own below the headings of the columns.
            table = table.rename_axis(index=None, columns=table.index.name)
        self._parts.append(f'<div class="table" tabindex="0">{table.to_html(border=0, formatters=formats)}</div>')

    def add_figures(self, figures: list[go.Figure], wide: bool = False) -> None:
        """Add figures beside each other where the window is wide enough.

        Parameters
        ----------
        figures
            They are drawn when the reader comes near them.
        wide
            Whether each has a line of its own.
        """
        drawn = "\n".join(_render_figure(figure) for figure in figures)
        self._parts.append(f'<div class="figures{" wide" if wide else ""}">\n{drawn}\n</div>')

    def render(self) -> str:
        """Give the HTML."""
        title = html.escape(self._title)
        links = "".join(
            f'<li><a href="#section-{number}">{html.escape(heading)}</a></li>'
            for number, heading in enumerate(self._sections, start=1)
        )
        parts = "\n".join(self._parts)
        return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{(_FOLDER / "page.css").read_text(encoding="utf-8")}</style>
<script>{get_plotlyjs()}</script>
</head>
<body>
<main>
<h1>{title}</h1>
<nav><ul>{links}</ul></nav>
<noscript><p>The figures are drawn by a script, and scripts are off.</p></noscript>
{parts}
</main>
<script>
{(_FOLDER / "draw_figures.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""


def _render_figure(figure: go.Figure) -> str:
    """Put a figure's numbers where the script finds them."""
    title = figure.layout.title.text
    file = _NOT_IN_A_FILE_NAME.sub("-", html.unescape(title)).strip("-") or "figure"
    # Plotly escapes each "<" in it, so that no text can end the element that holds it.
    numbers = figure.to_json()
    return (
        f'<div class="figure" data-file="{file}"><div role="group" aria-label="{html.escape(title)}"></div>'
        f'<script type="application/json">{numbers}</script></div>'
    )


def _format_number(number: float) -> str:
    """Show as many digits as a reader compares."""
    return f"{number:.5g}"


# By NumPy's letter for the kind of a column; text is shown as it is.
_FORMATS: dict[str, Callable[..., str]] = {"i": "{:,}".format, "u": "{:,}".format, "f": _format_number}


def write_page(file: Path, page: str) -> Path:
    """Write a page in one step.

    Parameters
    ----------
    file
        Its folder is made if it does not exist; a page that is there is replaced.
    page
        HTML.

    Returns
    -------
    The file.

    Raises
    ------
    ModelsNotWritable
        If the page cannot be stored; what was there is there still.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelsNotWritable(
            f"{file.parent} cannot be made ({error.strerror}); name another place with --out."
        ) from error
    with replacing(file) as opened:
        opened.write(page)
    return file
