"""A self-contained HTML page: text, tables and interactive figures in one file, which needs no other file or host.

The layout is in ``templates/page.html``, which escapes every text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader
from plotly.offline import get_plotlyjs

from app.errors import ModelsNotWritable
from app.server.output_file import open_output
from training.errors import refusing_output

_FOLDER = Path(__file__).with_name("templates")
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
)

# Characters that the name of a saved picture must not hold, since not every file system takes them.
_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def _format_number(number: float) -> str:
    """Format a number with as many digits as a reader compares."""
    return f"{number:.5g}"


# By NumPy's letter for the kind of a column; text is shown as it is.
_FORMATS: dict[str, Callable[..., str]] = {"i": "{:,}".format, "u": "{:,}".format, "f": _format_number}


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
        # What is added before the first section has no heading.
        self._sections: list[dict[str, Any]] = [{"heading": "", "parts": []}]

    def begin_section(self, heading: str) -> None:
        """Begin a section; all sections are listed at the top of the page."""
        self._sections.append({"heading": heading, "parts": []})

    def add_heading(self, heading: str) -> None:
        """Add a heading within the section."""
        self._add("heading", text=heading)

    def add_paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self._add("paragraph", text=text)

    def add_table(self, table: pd.DataFrame) -> None:
        """Add a table of numbers and texts; its index and columns are the headings."""
        formats = [_FORMATS.get(kind.kind, str) for kind in table.dtypes]
        if table.columns.nlevels == 1:
            # Otherwise pandas puts the name of the index on a separate line below the column headings.
            table = table.rename_axis(index=None, columns=table.index.name)
        with pd.option_context("display.max_colwidth", None):  # otherwise, long texts are cut off
            self._add("table", html=table.to_html(border=0, formatters=formats))

    def add_figures(self, figures: list[go.Figure], wide: bool = False) -> None:
        """Add figures next to each other where the window is wide enough.

        Parameters
        ----------
        figures
            Each is drawn when the reader scrolls near it.
        wide
            Whether each has a line of its own.
        """
        self._add("figures", figures=[_describe_figure(figure) for figure in figures], wide=wide)

    def render(self) -> str:
        """Return the HTML."""
        return _TEMPLATES.get_template("page.html").render(
            title=self._title,
            untitled=self._sections[0]["parts"],
            sections=self._sections[1:],
            plotly=get_plotlyjs(),
            style=(_FOLDER / "page.css").read_text(encoding="utf-8"),
            script=(_FOLDER / "draw_figures.js").read_text(encoding="utf-8"),
        )

    def _add(self, kind: str, **content: Any) -> None:
        """Add a part to the last section."""
        self._sections[-1]["parts"].append({"kind": kind, **content})


def _describe_figure(figure: go.Figure) -> dict[str, str]:
    """Collect what the template shows of a figure."""
    title = html.unescape(figure.layout.title.text)
    file = _NOT_IN_A_FILE_NAME.sub("-", title).strip("-") or "figure"
    return {"title": figure.layout.title.text, "file": file, "numbers": figure.to_json()}


def write_page(file: Path, page: str) -> Path:
    """Write a page in one step.

    Parameters
    ----------
    file
        Its folder is made if it does not exist; an existing page is replaced.
    page
        HTML.

    Returns
    -------
    The file.

    Raises
    ------
    ModelsNotWritable
        If the page cannot be stored; an existing one then stays as it was.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelsNotWritable(
            f"{file.parent} cannot be made ({error.strerror}); name another place with --out."
        ) from error
    with refusing_output(file), open_output(file) as opened:
        opened.write(page)
    return file
