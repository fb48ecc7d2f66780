"""Write results into ``README.md``, between two markers."""

from __future__ import annotations

from pathlib import Path

from app.server.atomic_file import replacing

PAGE = Path(__file__).with_name("README.md")


def paste(page: str, block: str, results: str) -> str:
    r"""Replace the results between two markers of a page.

    Parameters
    ----------
    page
        Text of the page.
    block
        Name of the markers.
    results
        Markdown.

    Raises
    ------
    ValueError
        If the page does not have exactly one pair of the markers.

    Examples
    --------
    >>> paste("a <!-- forest --> old <!-- end of forest --> z", "forest", "new")
    'a <!-- forest -->\n\nnew\n\n<!-- end of forest --> z'
    """
    begin, end = f"<!-- {block} -->", f"<!-- end of {block} -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page needs {begin} and, after it, {end}, once each")
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{results}\n\n{end}{after}"


def write_results(block: str, results: str, page: Path = PAGE) -> None:
    """Paste results into the page, which is replaced as a whole or not at all."""
    text = paste(page.read_text(encoding="utf-8"), block, results)
    with replacing(page) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
