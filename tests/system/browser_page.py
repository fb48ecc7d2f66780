"""Run Debian's Chromium, and record a page's requests and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

# The last five keep Chromium from sending requests of its own.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Drawing a page may take long on a busy machine; waiting ends as soon as the condition holds.
TIMEOUT_MILLISECONDS = 30_000


class BrowserPage:
    """A page with its requests and the errors in the browser's console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def hosts(self) -> set[str]:
        """Return all requested hosts and ports; data URLs have none."""
        return {urlsplit(url).netloc for url in self.requested} - {""}


@contextmanager
def start_chromium(program: Path, *options: str) -> Iterator[Browser]:
    """Start a headless browser with further options, and close it after the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*CHROMIUM_OPTIONS, *options])
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, **options: Any) -> Iterator[BrowserPage]:
    """Open a page without cookies or cache; ``options`` are those of ``Browser.new_context``."""
    with browser.new_context(**options) as context:
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        yield BrowserPage(context.new_page())
