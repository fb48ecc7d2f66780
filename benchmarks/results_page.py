"""Where results go: into ``README.md``, between two markers."""

from __future__ import annotations

from pathlib import Path

from app.server.atomic_file import replacing

PAGE = Path(__file__).with_name("README.md")


def paste(page: str, block: str, results: str) -> str:
    r"""Put results in place of those that a page holds.

    Parameters
    ----------
    page
        The page's text.
    block
        Between which markers.
    results
        Markdown.

    Raises
    ------
    ValueError
        If the page has not exactly one pair of the markers.

    Examples
    --------
    >>> paste("a <!-- forest --> old <!-- end of forest --> z", "forest", "new")
    'a <!-- forest -->\n\nnew\n\n<!-- end of forest --> z'
    """
    begin, end = f"<!-- {block} -->", f"<!-- end of {block} -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page needs {begin} and {end} behind it, once each")
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{results}\n\n{end}{after}"


def write_results(block: str, results: str, page: Path = PAGE) -> None:
    """Paste results into the page, all or nothing."""
    text = paste(page.read_text(encoding="utf-8"), block, results)
    with replacing(page) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
