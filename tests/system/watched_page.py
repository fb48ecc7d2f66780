"""Debian's Chromium, and a page in it that notes what went on while it was open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

# The last five keep Chromium from asking its makers' hosts for anything by itself.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# A busy machine may take long to draw a page; waiting ends as soon as what is waited for is there.
PATIENCE_MILLISECONDS = 30_000


class WatchedPage:
    """A page, which hosts it asked for something, and what the browser complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def hosts(self) -> set[str]:
        """Name every host and port that was asked; data addresses have none."""
        return {urlsplit(url).netloc for url in self.requested} - {""}


@contextmanager
def start_chromium(program: Path) -> Iterator[Browser]:
    """Start the browser without a window, and end it afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, **options: Any) -> Iterator[WatchedPage]:
    """Open a page of a browser that knows nothing yet; ``options`` are those of ``Browser.new_context``."""
    with browser.new_context(**options) as context:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        yield WatchedPage(context.new_page())
