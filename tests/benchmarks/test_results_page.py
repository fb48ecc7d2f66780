"""Results replace results, and nothing else of the page."""

from __future__ import annotations

import pytest

from benchmarks.results_page import PAGE, paste, write_results

PAGE_TEXT = "# Title\n\n<!-- forest -->\n\nold\n\n<!-- end of forest -->\n\nrest\n"


def test_results_replace_what_stands_between_the_markers(tmp_path):
    """The block is new, its surroundings are as they were, and nothing half-written is left."""
    page = tmp_path / "README.md"
    page.write_text(PAGE_TEXT)

    write_results("forest", "new", page)

    assert page.read_text() == PAGE_TEXT.replace("old", "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["README.md"]


def test_pasting_again_changes_nothing():
    """The same results twice give the same page."""
    once = paste(PAGE_TEXT, "forest", "new")

    assert paste(once, "forest", "new") == once


@pytest.mark.parametrize("page", ["no markers", PAGE_TEXT * 2, "<!-- end of forest --> <!-- forest -->"])
def test_page_without_one_pair_of_markers_is_refused(page):
    """Results never land in a wrong place."""
    with pytest.raises(ValueError, match="<!-- forest -->"):
        paste(page, "forest", "new")


@pytest.mark.parametrize("block", ["servers", "worker classes", "forest"])
def test_own_page_has_a_place_for_every_block(block):
    """What the programs write, the page of this repository can take."""
    assert "results" in paste(PAGE.read_text(encoding="utf-8"), block, "results")
