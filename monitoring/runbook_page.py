"""Generate the runbook as a web page, which Caddy serves: ``python -m monitoring.runbook_page``.

Messages link to its headings, so it must open in a browser without this repository.
"""

from __future__ import annotations

import re
from pathlib import Path

import mistune

_FOLDER = Path(__file__).resolve().parent
SOURCE = _FOLDER / "runbook.md"
PAGE = _FOLDER / "caddy" / "runbook" / "index.html"

# No script and no other file, so that it also opens from a disk. `:target` marks the alert that a message links to.
_FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runbook of Isowatch</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 1rem; }}
pre {{ overflow-x: auto; padding: .75rem; background: color-mix(in srgb, CanvasText 8%, Canvas); }}
h2:target, h2 span:target {{ background: Mark; color: MarkText; }}
</style>
</head>
<body>
{body}</body>
</html>
"""


def page_of(markdown: str) -> str:
    r"""Return a runbook as HTML.

    Headings of alerts have the ids that the alerts' links name, in lower case, and those of the dashboards' links,
    which can only be the names themselves. Links to files of the repository become plain text, because these files
    are not served.

    Examples
    --------
    >>> page = page_of("## ModelMissing\n\nSee [rules](prometheus/rules/a.yml) and [Watchdog](#watchdog).\n")
    >>> print(page.split("<body>")[1].split("</body>")[0].strip())
    <h2 id="modelmissing"><span id="ModelMissing">ModelMissing</span></h2>
    <p>See rules and <a href="#watchdog">Watchdog</a>.</p>
    """
    body = str(mistune.html(markdown))
    body = re.sub(r'<a href="(?!#|https://)[^"]*">(.*?)</a>', r"\1", body, flags=re.DOTALL)
    body = re.sub(r"<h2>(\w+)</h2>", _heading, body)
    return _FRAME.format(body=body)


def _heading(found: re.Match[str]) -> str:
    """Return the heading of an alert."""
    return f'<h2 id="{found[1].lower()}"><span id="{found[1]}">{found[1]}</span></h2>'


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page_of(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
