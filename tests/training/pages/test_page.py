"""Pages are self-contained, and text is escaped."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from training.figures.style import new_figure
from training.pages.page import SelfContainedPage

EVIL = "</script><script>alert('x')</script> & <b>"


class Elements(HTMLParser):
    """Collects the elements of a page, and the numbers of its figures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.numbers: list[str] = []
        self._in_numbers = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Store an element."""
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]
        self._in_numbers = ("type", "application/json") in attributes

    def handle_data(self, data: str) -> None:
        """Store the numbers of a figure."""
        if self._in_numbers:
            self.numbers.append(data)
            self._in_numbers = False


def make_page(text: str) -> SelfContainedPage:
    """Make a page with this text in every place that can have text."""
    page = SelfContainedPage(text)
    page.begin_section(text)
    page.add_heading(text)
    page.add_paragraph(text)
    page.add_table(pd.DataFrame({text: [1.0]}, index=pd.Index([text], name=text)))
    page.add_figures([new_figure(text, text).add_bar(name=text, y=[1, 2])])
    return page


def test_text_is_escaped():
    """Whatever a column is named, the page has the same elements as with harmless text."""
    harmless, evil = Elements(make_page("mean").render()), Elements(make_page(EVIL).render())

    assert evil.names == harmless.names
    figure = json.loads(evil.numbers[0])
    assert figure["data"][0]["name"] == EVIL


def test_page_loads_nothing():
    """The file has everything that a browser needs; links lead to its own sections."""
    elements = Elements(make_page("mean").render())

    assert elements.addresses == ["#section-1"]
    [policy] = re.findall('<meta http-equiv="Content-Security-Policy" content="(.*?)">', make_page("mean").render())
    sources = {source for directive in policy.split("; ") for source in directive.split()[1:]}
    assert policy.startswith("default-src 'none'; ")
    assert sources == {"'none'", "'unsafe-inline'", "data:", "blob:"}


def test_plotly_is_embedded_once():
    """It makes up most of the file."""
    page = make_page("mean")
    page.add_figures([new_figure("sd"), new_figure("sum")])

    assert len(re.findall(r"\* plotly\.js v", page.render())) == 1


@pytest.mark.parametrize(("number", "shown"), [(1234567, "1,234,567"), (0.123456789, "0.12346"), (3.4e38, "3.4e+38")])
def test_numbers_are_short(number, shown):
    """Integers in full, others with five significant digits."""
    page = SelfContainedPage("Numbers")
    page.add_table(pd.DataFrame({"n": [number]}))

    assert f"<td>{shown}</td>" in page.render()


def test_text_in_a_table_is_unchanged():
    """Next to numbers, and never as markup."""
    page = SelfContainedPage("Words")
    page.add_table(pd.DataFrame({"what": ["0.10", "<b>"], "n": [1, 2]}))

    assert "<td>0.10</td>" in page.render()
    assert "<td>&lt;b&gt;</td>" in page.render()


def test_long_tables_are_not_cut():
    """Each of 256 features has a line."""
    page = SelfContainedPage("Many")
    page.add_table(pd.DataFrame({"n": range(256)}))

    assert page.render().count("<td>") == 256


def test_saved_picture_has_a_valid_file_name():
    """Whatever the figure is called."""
    assert 'data-file="alert-x-b"' in make_page("<alert>('x') & <b>").render()
    assert 'data-file="figure"' in make_page("…").render()


def test_table_has_one_line_of_headings():
    """The name of the index is next to those of the columns."""
    page = SelfContainedPage("page")
    page.add_table(pd.DataFrame({"live": [1.0]}, index=pd.Index(["recall"], name="figure")))

    [head] = re.findall("<thead>.*?</thead>", page.render(), re.DOTALL)
    assert re.findall("<th[^>]*>(.*?)</th>", head) == ["figure", "live"]
