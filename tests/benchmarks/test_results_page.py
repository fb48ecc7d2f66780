"""Results replace older results and nothing else in the page."""

from __future__ import annotations

import pytest

from benchmarks.results_page import PAGE, paste, write_results

PAGE_TEXT = "# Title\n\n<!-- forest -->\n\nold\n\n<!-- end of forest -->\n\nrest\n"


def test_results_replace_the_text_between_the_markers(tmp_path):
    """The rest of the page is unchanged, and no temporary file is left."""
    page = tmp_path / "README.md"
    page.write_text(PAGE_TEXT)

    write_results("forest", "new", page)

    assert page.read_text() == PAGE_TEXT.replace("old", "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["README.md"]


def test_writing_the_same_results_twice_changes_nothing():
    """The page is the same after the second time."""
    once = paste(PAGE_TEXT, "forest", "new")

    assert paste(once, "forest", "new") == once


@pytest.mark.parametrize("page", ["no markers", PAGE_TEXT * 2, "<!-- end of forest --> <!-- forest -->"])
def test_page_without_one_pair_of_markers_is_refused(page):
    """So that results are never written in a wrong place."""
    with pytest.raises(ValueError, match="<!-- forest -->"):
        paste(page, "forest", "new")


@pytest.mark.parametrize("block", ["servers", "attacks", "worker classes", "forest"])
def test_readme_has_markers_for_every_block(block):
    """All programs can write their results into this repository's page."""
    assert "results" in paste(PAGE.read_text(encoding="utf-8"), block, "results")
